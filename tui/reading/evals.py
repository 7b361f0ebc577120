"""What the room of evaluations shows, read in one go: the list, what is chosen of it, how far it is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from karl.control.evaluations import EvaluationLine, EvaluationReader, Sheet
from karl.control.place import Settings
from store import queries
from store.errors import UsageError
from store.session import Session, Store
from store.types import RunState


@dataclass(frozen=True, slots=True)
class Wanted:
    """selected: key of a line; marked: those to stand side by side; pair: labels (before, after) to compare.

    run_id: the run that the rooms are about, whose evaluation is shown while nothing is selected, or where
    another room has picked it (`follow`).
    """

    selected: str | None = None
    marked: frozenset[str] = frozenset()
    pair: tuple[str, str] | None = None
    run_id: int | None = None
    follow: bool = False


@dataclass(frozen=True, slots=True)
class ProgressView:
    """One stage of an evaluation that goes on. under_way: rollouts at once; 0 where there are none."""

    title: str
    done: int
    total: int
    under_way: int
    over: bool


@dataclass(frozen=True, slots=True)
class EvalsView:
    """chosen: those of `lines` that `sheet` shows. sheet None: there is none, or `problem` says why."""

    lines: tuple[EvaluationLine, ...]
    chosen: tuple[EvaluationLine, ...]
    sheet: Sheet | None
    progress: tuple[ProgressView, ...]
    problem: str


class EvalsReader:
    """Not for two threads at once."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._reader = EvaluationReader(settings)

    def read(self, wanted: Wanted, *, afresh: bool = False) -> EvalsView:
        """Raises: KarlError when the database refuses. What is wrong with a file is told in the view."""
        with self._store.session() as session:
            lines = self._reader.lines(session)
            chosen = choose(lines, wanted)
            progress = _progress(session, chosen)
            if not chosen:
                return EvalsView(lines, (), None, (), "")
            try:
                sheet = self._reader.sheet(session, chosen, pair=wanted.pair, afresh=afresh)
            except UsageError as exc:
                return EvalsView(lines, chosen, None, progress, str(exc))
            return EvalsView(lines, chosen, sheet, progress, "")


def choose(lines: Sequence[EvaluationLine], wanted: Wanted) -> tuple[EvaluationLine, ...]:
    """The marked ones, the oldest first: later systems are compared with the first. Else the selected one."""
    marked = [line for line in reversed(lines) if line.key in wanted.marked]
    if marked:
        return tuple(marked)
    selected = [line for line in lines if line.key == wanted.selected]
    of_run = [line for line in lines if line.run_id is not None and line.run_id == wanted.run_id]
    first = of_run + selected if wanted.follow else selected + of_run
    return tuple([*first, *lines][:1])


def _progress(session: Session, chosen: Collection[EvaluationLine]) -> tuple[ProgressView, ...]:
    """Of runs that go on; stages that are over last."""
    running = [line.run_id for line in chosen if line.run_id and line.state == str(RunState.RUNNING)]
    found = [
        ProgressView(row.title, row.done, row.total, row.under_way, row.over)
        for run_id in running
        for row in queries.progress_of_run(session, run_id, limit=6)
    ]
    return tuple(sorted(found, key=lambda one: one.over))
