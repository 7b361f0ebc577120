"""What the room of one run shows, read from the store in one go: frozen values, no rows, no widgets.

`RunReader.read` runs in a thread; the screen gets a `RunView` and draws it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from store import queries
from store.models import EvalResult
from store.queries import Funnel, RunOverview
from store.session import Session, Store
from store.types import RunState, Stage
from tui.reading.figures import Figure

# metric -> its name on the screen, in the order of the screen
CURVES = {"loss": "loss", "logratio_winners": "winners", "logratio_losers": "losers"}


@dataclass(frozen=True, slots=True)
class IterationView:
    number: int
    stage: Stage
    done: bool
    seconds: float
    funnel: Funnel


@dataclass(frozen=True, slots=True)
class TrainingView:
    """One series. names: all series of the run, the newest first; curves: label -> values in order of steps."""

    series: str
    names: list[str]
    last_step: int
    curves: dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class ArmView:
    """One policy on the held-out questions. A figure that its evaluation does not have is None."""

    arm: str
    temperature: float
    k: str  # "8" of max@8
    pass_at_1: Figure | None
    max_at_k: Figure | None
    searches: Figure | None


@dataclass(frozen=True, slots=True)
class RunDetail:
    run_id: int
    iterations: list[IterationView]
    training: TrainingView | None
    arms: list[ArmView]
    failures: dict[str, int]


@dataclass(frozen=True, slots=True)
class RunView:
    """A run with its detail. None for both: there is no run."""

    run: RunOverview | None
    detail: RunDetail | None


class RunReader:
    """Reads one run of a store. Not for two threads at once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: tuple[object, RunDetail] | None = None

    def read(self, *, selected: int | None = None, series: str | None = None, afresh: bool = False) -> RunView:
        """selected None: the newest run; series: which training, None: the newest. A run that rests is read once,
        unless `afresh`.

        Raises: KarlError when the database refuses.
        """
        with self._store.session() as session:
            run = queries.run_overview(session, selected)
            detail = self._detail(session, run, series=series, afresh=afresh) if run else None
        return RunView(run, detail)

    def _detail(self, session: Session, run: RunOverview, *, series: str | None, afresh: bool) -> RunDetail:
        """Counting a big run's rollouts each second for the same result would keep a core busy."""
        place = (run.run_id, run.state, run.updated_at, series)
        if self._kept and self._kept[0] == place and run.state is not RunState.RUNNING and not afresh:
            return self._kept[1]
        detail = read_detail(session, run.run_id, series=series)
        self._kept = (place, detail)
        return detail


def read_detail(session: Session, run_id: int, *, series: str | None) -> RunDetail:
    return RunDetail(
        run_id=run_id,
        iterations=read_iterations(session, run_id),
        training=read_training(session, run_id, series=series),
        arms=[arm_view(result) for result in queries.eval_results(session, run_id)],
        failures=queries.failure_counts(session, run_id),
    )


def read_iterations(session: Session, run_id: int) -> list[IterationView]:
    return [
        IterationView(
            number=row.number,
            stage=row.stage,
            done=row.done,
            seconds=sum(row.seconds.values()),
            funnel=queries.funnel(session, run_id, iteration=row.number),
        )
        for row in queries.iterations(session, run_id)
    ]


def read_training(session: Session, run_id: int, *, series: str | None) -> TrainingView | None:
    """None: nothing was trained yet. An unknown series gives the newest."""
    names = queries.series_names(session, run_id)
    if not names:
        return None
    chosen = series if series in names else names[0]
    points = {label: queries.series(session, run_id, series=chosen, name=metric) for metric, label in CURVES.items()}
    curves = {label: [value for _, value in found] for label, found in points.items() if found}
    last_step = max((found[-1][0] for found in points.values() if found), default=0)
    return TrainingView(series=chosen, names=names, last_step=last_step, curves=curves)


def arm_view(result: EvalResult) -> ArmView:
    widest = next((name for name in result.figures if name.startswith("max@")), "max@k")
    return ArmView(
        arm=result.arm,
        temperature=result.temperature,
        k=widest.removeprefix("max@"),
        pass_at_1=_figure(result.figures, "pass@1"),
        max_at_k=_figure(result.figures, widest),
        searches=_figure(result.figures, "searches"),
    )


def _figure(figures: Mapping[str, Any], name: str) -> Figure | None:
    return Figure(**figures[name]) if name in figures else None
