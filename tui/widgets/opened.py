"""A run's counts with the rollouts behind them."""

from __future__ import annotations

from collections.abc import Sequence

from store.queries import RolloutFilter
from store.types import Fate, RolloutStatus
from tui.reading.questions import IterationView
from tui.reading.spending import FailureRow
from tui.widgets.counts import Count, Counts

# In the order of the funnel; those that are waiting for something stand before those that it dropped there.
FATES = (
    Fate.KEPT,
    Fate.INVALID,
    Fate.MIXED,
    Fate.ALL_WRONG,
    Fate.ALL_CORRECT,
    Fate.INCOMPLETE,
    Fate.DEDUPLICATED,
    Fate.DUPLICATE,
    Fate.PROPOSED,
    Fate.MALFORMED,
)
COLUMNS = 7  # iterations that there is room for, besides their sum


def fate_counts(run_id: int, iterations: Sequence[IterationView]) -> tuple[list[str], list[Counts]]:
    """The newest iterations across, with all of them first; fates that no question has are left out."""
    shown = iterations[-COLUMNS:]
    rows = [
        Counts(
            str(fate).replace("_", " "),
            RolloutFilter(run_id=run_id, fate=fate),
            (
                Count(sum(view.fates.get(fate, 0) for view in iterations), RolloutFilter(run_id=run_id, fate=fate)),
                *(
                    Count(view.fates.get(fate, 0), RolloutFilter(run_id=run_id, iteration=view.number, fate=fate))
                    for view in shown
                ),
            ),
        )
        for fate in FATES
        if any(view.fates.get(fate) for view in iterations)
    ]
    return ["all", *(f"it. {view.number}" for view in shown)], rows


def failure_counts(run_id: int, failures: Sequence[FailureRow]) -> tuple[list[str], list[Counts]]:
    rows = []
    for row in failures:
        wanted = RolloutFilter(run_id=run_id, status=row.status, failure_kind=row.kind)
        rows.append(Counts(_named(row), wanted, (Count(row.rollouts, wanted),)))
    return ["rollouts"], rows


def _named(row: FailureRow) -> str:
    if row.status is RolloutStatus.UNFINISHED:
        return "out of its own budget (reward 0)"
    return str(row.kind or "unknown")
