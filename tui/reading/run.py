"""What the room of one run shows, read from the store in one go: frozen values, no rows, no widgets.

`RunReader.read` runs in a thread; the screen gets a `RunView` and draws it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from karl.control.place import Settings
from karl.control.processes import standing
from store import queries
from store.models import StageProgress
from store.queries import RunOverview
from store.session import Session, Store
from store.types import RunState
from tui.reading.evaluation import EvaluationView, read_evaluation
from tui.reading.questions import IterationView, read_iterations
from tui.reading.spending import FailureRow, SpendingView, failures, read_spending
from tui.reading.stages import StageView, StageWatch
from tui.reading.throughput import Throughput, throughput
from tui.reading.times import seconds_since
from tui.reading.training import TrainingView, read_training

SHARE = 0.1  # of the time that reading the sums of a big run may take
SILENT = 60.0  # seconds without a word after which nobody is believed to train


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user looks at. selected None: the newest run; move: to the next newer run (1) or the one before (-1);
    series None: the newest training; metrics: of which curves are drawn."""

    selected: int | None = None
    move: int = 0
    series: str | None = None
    metrics: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RunDetail:
    iterations: list[IterationView]
    spending: SpendingView
    failures: tuple[FailureRow, ...]
    training: TrainingView | None
    evaluation: EvaluationView


@dataclass(frozen=True, slots=True)
class RunView:
    """A run with its detail; no run: run and detail are None. asked: the run that was selected when it was read;
    gone: it is no longer there, and this is another.

    standing: the run's state, or `paused` or `lost`; heard: when it last wrote anything.
    """

    asked: int | None
    gone: bool = False
    run: RunOverview | None = None
    standing: str = ""
    heard: datetime | None = None
    stages: tuple[StageView, ...] = ()
    throughput: Throughput | None = None
    detail: RunDetail | None = None


@dataclass(frozen=True, slots=True)
class _Kept:
    """key: what was asked for; stamp: how the run was then."""

    key: object
    stamp: object
    detail: RunDetail


class RunReader:
    """Reads one run of a store. Not for two threads at once."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store, self._settings = store, settings
        self._watch, self._watched = StageWatch(), 0
        self._kept: _Kept | None = None
        self._next = 0.0  # when the sums may be read again

    def read(self, wanted: Wanted, *, afresh: bool = False) -> RunView:
        """A run that rests is read once, unless `afresh`; the sums of a big one as often as that costs little.

        Raises: KarlError when the database refuses.
        """
        with self._store.session() as session:
            run = queries.run_overview(session, _target(session, wanted))
            if run is None:
                return RunView(wanted.selected)
            rows = queries.progress_of_run(session, run.run_id)
            stands = standing(self._settings, run.name, run.state)
            newest = queries.newest_rollouts(session, run.run_id) if run.state is RunState.RUNNING else []
            return RunView(
                asked=wanted.selected,
                gone=wanted.selected is not None and not wanted.move and wanted.selected != run.run_id,
                run=run,
                standing=stands,
                heard=max(run.updated_at, *(row.updated_at for row in rows)) if rows else run.updated_at,
                stages=tuple(self._stages(run, rows, live=_lives(run, stands, rows))),
                throughput=throughput(newest, began=_began(rows)),
                detail=self._detail(session, run, rows, wanted, afresh=afresh),
            )

    def _stages(self, run: RunOverview, rows: Sequence[StageProgress], *, live: bool) -> list[StageView]:
        if self._watched != run.run_id:
            self._watch, self._watched = StageWatch(), run.run_id
        return self._watch.views(rows, live=live)

    def _detail(
        self, session: Session, run: RunOverview, rows: Sequence[StageProgress], wanted: Wanted, *, afresh: bool
    ) -> RunDetail:
        key = (run.run_id, wanted.series, wanted.metrics)
        # The progress too: `karl train` writes to a run that is done.
        stamp = (run.state, run.updated_at, rows[0].updated_at if rows else None)
        kept = self._kept
        if kept is not None and kept.key == key and not afresh:
            rests = run.state is not RunState.RUNNING and kept.stamp == stamp
            if rests or time.monotonic() < self._next:
                return kept.detail
        began = time.monotonic()
        detail = read_detail(session, run.run_id, wanted)
        self._next = began + (time.monotonic() - began) / SHARE
        self._kept = _Kept(key, stamp, detail)
        return detail


def read_detail(session: Session, run_id: int, wanted: Wanted) -> RunDetail:
    outcomes = queries.outcomes(session, run_id)
    return RunDetail(
        iterations=read_iterations(session, run_id),
        spending=read_spending(session, run_id),
        failures=failures(outcomes),
        training=read_training(session, run_id, series=wanted.series, metrics=wanted.metrics),
        evaluation=read_evaluation(session, run_id, outcomes),
    )


def _target(session: Session, wanted: Wanted) -> int | None:
    """At either end of the runs it stays where it is."""
    if wanted.selected is None or not wanted.move:
        return wanted.selected
    return queries.neighbour(session, wanted.selected, newer=wanted.move > 0) or wanted.selected


def _lives(run: RunOverview, stands: str, rows: Sequence[StageProgress]) -> bool:
    if run.state is RunState.RUNNING:
        return stands == RunState.RUNNING
    # `karl train` on the datasets of a run that has ended.
    return bool(rows) and not rows[0].over and seconds_since(rows[0].updated_at) < SILENT


def _began(rows: Sequence[StageProgress]) -> datetime | None:
    return next((row.began_at for row in rows if not row.over), None)
