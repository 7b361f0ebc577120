"""Evaluations of one place: its list, and one or several side by side. What was read is kept until it changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from karl.control.evaluations.listing import FOLDER, DocumentList, Stamp, listed, stamp_of
from karl.control.evaluations.values import EvaluationLine, Sheet
from karl.settings import Settings
from store import queries
from store.errors import UsageError
from store.queries import EvaluatedRun
from store.session import Session

if TYPE_CHECKING:
    from evals.report.document import EvaluationDocument

KEPT = 8  # documents, and sheets; each may be megabytes
FAILURES = 200  # a system


class EvaluationReader:
    """Not for two threads at once."""

    def __init__(self, settings: Settings) -> None:
        self._list = DocumentList(settings.home / FOLDER)
        self._runs: dict[int, EvaluatedRun] = {}
        self._documents: dict[Path, tuple[Stamp, EvaluationDocument]] = {}
        self._sheets: dict[object, Sheet] = {}

    def lines(self, session: Session) -> tuple[EvaluationLine, ...]:
        """Running ones first, then the newest. Raises: KarlError when the database refuses."""
        runs = queries.evaluated_runs(session)
        self._runs = {run.run_id: run for run in runs}
        return listed(self._list.lines(), runs)

    def sheet(
        self, session: Session, chosen: Sequence[EvaluationLine], *, pair: tuple[str, str] | None, afresh: bool = False
    ) -> Sheet:
        """Of lines that `lines` gave last: one run, or documents side by side. The same sheet until something changes.

        pair: labels (before, after) of the two systems that are compared. Raises: UsageError naming a file that cannot
        be read, or that documents and runs do not go together.
        """
        place = (tuple(map(self._state, chosen)), pair)
        held = None if afresh else self._sheets.pop(place, None)
        self._sheets[place] = found = held or self._made(session, chosen, pair)
        _give_up(self._sheets)
        return found

    def _state(self, line: EvaluationLine) -> object:
        if line.path is not None:
            return line.path, _stamp(line.path)
        run = self._run(line)
        # A running one's time moves with every stage: its figures change when an arm is added.
        return run.run_id, run.state, run.arms

    def _made(self, session: Session, chosen: Sequence[EvaluationLine], pair: tuple[str, str] | None) -> Sheet:
        paths = [line.path for line in chosen if line.path is not None]
        if not paths and len(chosen) == 1:
            from karl.control.evaluations.arms import sheet_of_run

            return sheet_of_run(session, self._run(chosen[0]), pair=pair, listed=FAILURES)
        if len(paths) < len(chosen):
            raise UsageError("documents of `karl eval` stand side by side; a run's own evaluation stands alone")
        from karl.control.evaluations.documents import sheet_of

        return sheet_of([self._document(path) for path in paths], pair=pair, listed=FAILURES)

    def _run(self, line: EvaluationLine) -> EvaluatedRun:
        found = self._runs.get(line.run_id or 0)
        if found is None:
            raise UsageError(f"run {line.name!r} is no longer in the store")
        return found

    def _document(self, path: Path) -> EvaluationDocument:
        from evals.report.document import read_document

        stamp = _stamp(path)
        held = self._documents.pop(path, None)
        found = held if held and held[0] == stamp else (stamp, read_document(path))
        self._documents[path] = found
        _give_up(self._documents)
        return found[1]


def _give_up(held: dict[Any, Any]) -> None:
    """What was asked for last is the last: the first goes."""
    while len(held) > KEPT:
        del held[next(iter(held))]


def _stamp(path: Path) -> Stamp:
    try:
        return stamp_of(path)
    except OSError as exc:
        raise UsageError(f"{path}: cannot read the evaluation: {exc.strerror}") from exc
