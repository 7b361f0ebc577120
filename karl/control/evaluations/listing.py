"""What evaluations there are: documents in the home's folder, read once each, and runs of the store.

Of a document only its head is looked at here; a file that changed is read again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from pydantic import AwareDatetime, BaseModel, ValidationError

from karl.control.evaluations.values import EvaluationLine
from store.queries import EvaluatedRun
from store.types import RunState

FOLDER = "evaluations"  # below the home
LONG_AGO = datetime.min.replace(tzinfo=UTC)


class _Judge(BaseModel):
    name: str


class _Settings(BaseModel):
    suite: str
    judge: _Judge


class _Task(BaseModel):
    questions: int


class _Entry(BaseModel):
    name: str


class _System(BaseModel):
    entry: _Entry


class _Head(BaseModel):
    """Only what a list shows; everything else in the file is passed over."""

    name: str
    sha256: str
    date: AwareDatetime
    settings: _Settings
    tasks: tuple[_Task, ...]
    systems: tuple[_System, ...]


class Stamp(NamedTuple):
    """A file that has another one is another file."""

    changed: int  # ns
    size: int


def stamp_of(path: Path) -> Stamp:
    """Raises: OSError."""
    found = path.stat()
    return Stamp(found.st_mtime_ns, found.st_size)


class DocumentList:
    """The lines of a folder's documents. Not for two threads at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[Path, tuple[Stamp, EvaluationLine]] = {}

    def lines(self) -> list[EvaluationLine]:
        found: dict[Path, tuple[Stamp, EvaluationLine]] = {}
        for path in sorted(self._folder.glob("*.json")):
            try:
                stamp = stamp_of(path)
            except OSError:
                continue  # it has gone since
            held = self._held.get(path)
            found[path] = held if held and held[0] == stamp else (stamp, _line(path))
        self._held = found
        return [line for _, line in found.values()]


def _line(path: Path) -> EvaluationLine:
    try:
        head = _Head.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as exc:
        problem = f"{path.name} is no document of `karl eval`" if isinstance(exc, ValidationError) else str(exc)
        return EvaluationLine(path.name, "unreadable", None, "", (), None, "", "", path=path, problem=problem)
    return EvaluationLine(
        name=head.name,
        state="kept",
        date=head.date,
        suite=head.settings.suite,
        systems=tuple(system.entry.name for system in head.systems),
        questions=sum(task.questions for task in head.tasks),
        judge=head.settings.judge.name,
        sha256=head.sha256,
        path=path,
    )


def run_line(run: EvaluatedRun) -> EvaluationLine:
    return EvaluationLine(
        name=run.name,
        state=str(run.state),
        date=_aware(run.updated_at),
        suite="karl eval" if run.setup else "held-out",
        systems=run.arms,
        questions=run.questions,
        judge="",
        sha256="",
        run_id=run.run_id,
    )


def _aware(moment: datetime) -> datetime:
    """SQLite gives times back without their zone: they are UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def listed(documents: Sequence[EvaluationLine], runs: Sequence[EvaluatedRun]) -> tuple[EvaluationLine, ...]:
    """What is under way first, then the newest. A run whose document is there is the document, unless it goes on."""
    kept = {line.sha256 for line in documents}
    shown = [
        run_line(run)
        for run in runs
        if run.state is RunState.RUNNING or (not kept.intersection(run.documents) and (run.arms or run.setup))
    ]
    newest = sorted([*documents, *shown], key=lambda line: line.date or LONG_AGO, reverse=True)
    return tuple(sorted(newest, key=lambda line: line.state != str(RunState.RUNNING)))
