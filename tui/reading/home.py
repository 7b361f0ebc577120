"""What the first room shows, read from the store in one go: frozen values, no rows, no widgets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from karl.control.place import Settings
from karl.control.processes import standing
from store import queries
from store.models import StageProgress
from store.queries import CheckpointLine, CorpusCounts, RunOverview
from store.session import Session, Store
from store.types import RunState


@dataclass(frozen=True, slots=True)
class StageView:
    """How far a run's stage is. rate: units a second, left: seconds; None: nobody knows."""

    title: str
    done: int
    total: int
    rate: float | None
    left: float | None


@dataclass(frozen=True, slots=True)
class RunLine:
    """standing: the run's state, or `paused` or `lost` of one that the store calls running."""

    run: RunOverview
    standing: str
    stage: StageView | None

    @property
    def ended(self) -> bool:
        return self.run.state is not RunState.RUNNING


@dataclass(frozen=True, slots=True)
class CorpusLine:
    corpus_id: int
    name: str
    counts: CorpusCounts
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class HomeView:
    """The newest runs and checkpoints first, corpora by name."""

    runs: list[RunLine]
    corpora: list[CorpusLine]
    checkpoints: list[CheckpointLine]


class HomeReader:
    """Reads one store again and again. Not for two threads at once."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store, self._settings = store, settings
        self._counted: dict[tuple[int, datetime], CorpusCounts] = {}

    def read(self, *, afresh: bool = False) -> HomeView:
        """afresh: count the corpora again, too. Raises: KarlError when the database refuses."""
        if afresh:
            self._counted = {}
        with self._store.session() as session:
            return HomeView(
                runs=[self._line(session, run) for run in queries.run_overviews(session)],
                corpora=self._corpora(session),
                checkpoints=queries.checkpoint_lines(session),
            )

    def _line(self, session: Session, run: RunOverview) -> RunLine:
        told = standing(self._settings, run.name, run.state)
        newest = queries.progress_of_run(session, run.run_id, limit=1) if run.state is RunState.RUNNING else []
        moving = told == str(RunState.RUNNING)
        return RunLine(run, told, stage_view(newest[0], moving=moving) if newest else None)

    def _corpora(self, session: Session) -> list[CorpusLine]:
        """Counting chunks reads an index from end to end: once for every state of a corpus."""
        lines: list[CorpusLine] = []
        for row in queries.corpora(session):
            key = (row.id or 0, row.updated_at)
            if key not in self._counted:
                self._counted[key] = queries.corpus_counts(session, row.id or 0)
            lines.append(CorpusLine(row.id or 0, row.name, self._counted[key], row.updated_at))
        return lines


def stage_view(row: StageProgress, *, moving: bool = True) -> StageView:
    """`moving`: a process goes on with it, so that its rate says when it will be done."""
    took = (row.updated_at - row.began_at).total_seconds()
    rate = (row.done - row.first) / took if took > 0 and row.done > row.first else None
    left = (row.total - row.done) / rate if rate and row.total >= row.done else None
    shown = moving and not row.over
    return StageView(row.title, row.done, row.total, rate if shown else None, left if shown else None)
