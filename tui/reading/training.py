"""A training as curves: those of its metrics that are wanted, thinned to what a screen can show."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from store import queries
from store.session import Session

Points = tuple[tuple[int, float], ...]
# Of the whole training, written at step 0: no curves.
FACTS = frozenset({"drift_mean", "drift_max", "tokens_identical", "tokens_compared", "validation_best"})


@dataclass(frozen=True, slots=True)
class TrainingView:
    """One series. names: all series of the run, the newest first; metrics: what is known of this one;
    curves: metric -> (step, value) in order of steps, of those that were asked for and are known."""

    series: str
    names: tuple[str, ...]
    metrics: tuple[str, ...]
    curves: Mapping[str, Points]

    @property
    def last_step(self) -> int:
        return max((points[-1][0] for points in self.curves.values() if points), default=0)


def read_training(
    session: Session, run_id: int, *, series: str | None, metrics: Collection[str]
) -> TrainingView | None:
    """None: nothing was trained yet. An unknown series gives the newest."""
    names = queries.series_names(session, run_id)
    if not names:
        return None
    chosen = series if series in names else names[0]
    known = [name for name in queries.curve_names(session, run_id, series=chosen) if name not in FACTS]
    curves = {name: queries.curve(session, run_id, series=chosen, name=name) for name in known if name in metrics}
    return TrainingView(chosen, tuple(names), tuple(known), curves)
