"""Which curves of a training are drawn together, and under which name."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple


class Chart(NamedTuple):
    """metrics: as trainings name them; labels: beside the curves, where there are several."""

    title: str
    metrics: tuple[str, ...]
    labels: tuple[str, ...] = ("",)

    def label(self, metric: str) -> str:
        return self.labels[self.metrics.index(metric)]


USUAL = (
    Chart("loss", ("loss",)),
    # The data's own mean reward would be the same whatever is learnt; weighted, it estimates the policy's.
    Chart(
        "reward",
        ("weighted_reward", "reward", "validation_reward"),
        ("estimate", "data", "validation"),
    ),
    Chart("log-ratio", ("logratio_winners", "logratio_losers"), ("win", "lose")),
    Chart("KL", ("kl_reverse", "kl_forward"), ("reverse", "forward")),
    Chart("gradient norm", ("grad_norm",)),
    Chart("tokens/s", ("tokens_per_second",)),
)
OTHERS = (
    Chart("loss by sign", ("loss_winners", "loss_losers"), ("win", "lose")),
    Chart("residual", ("residual_winners", "residual_losers"), ("win", "lose")),
    Chart("learning rate", ("lr",)),
)
KNOWN = (*USUAL, *OTHERS)
USUAL_TITLES = frozenset(chart.title for chart in USUAL)


def charts_of(metrics: Iterable[str]) -> list[Chart]:
    """All that can be drawn of these metrics, the usual ones first; a metric of no chart has one of its own."""
    there = set(metrics)
    known = [chart for chart in KNOWN if there & set(chart.metrics)]
    single = there - {metric for chart in KNOWN for metric in chart.metrics}
    return [*known, *(Chart(name, (name,)) for name in sorted(single))]


def metrics_of(titles: Collection[str]) -> frozenset[str]:
    """What must be read to draw the charts of these titles."""
    known = {chart.title: chart.metrics for chart in KNOWN}
    return frozenset(metric for title in titles for metric in known.get(title, (title,)))
