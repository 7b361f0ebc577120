"""Quality against cost and latency, of systems that had the same questions and judge: others cannot be beaten."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from evals.report.document import ParetoPoint
from evals.report.joined import Column, Joined
from evals.report.pareto import Point, dominates
from evals.report.text import listed
from karl.control.evaluations.values import Interval, Spot, Tradeoff


class _Unit(NamedTuple):
    name: str
    spent: Callable[[ParetoPoint], float | None]
    unknown: str


UNITS = (
    _Unit(
        "USD a query", lambda point: point.usd_per_query, "no price of the model is known (`karl eval --prices FILE`)"
    ),
    _Unit("tokens a query", lambda point: point.tokens_per_query, "tokens were not counted"),
    _Unit("median seconds to the first answer token", lambda point: point.seconds_p50, "no time is known"),
)


class Measured(NamedTuple):
    label: str
    score: Interval
    spent: float


def tradeoffs(joined: Joined) -> Iterator[Tradeoff]:
    groups: dict[object, list[Column]] = {}
    for column in joined.columns:
        items = tuple((task.name, task.items_sha256) for task in column.document.tasks)
        groups.setdefault((column.judge, items), []).append(column)
    for columns in groups.values():
        yield from (_tradeoff(columns, unit) for unit in UNITS)


def spots(points: Sequence[Measured]) -> tuple[Spot, ...]:
    """The best first."""
    plain = {one.label: Point(one.label, one.score.mean, one.spent) for one in points}
    return tuple(
        Spot(
            *one,
            tuple(other for other in plain if dominates(plain[other], plain[one.label])),
        )
        for one in sorted(points, key=lambda one: (-one.score.mean, one.spent, one.label))
    )


def _tradeoff(columns: Sequence[Column], unit: _Unit) -> Tradeoff:
    measured: list[Measured] = []
    left_out: dict[str, list[str]] = {}
    for column in columns:
        figures = column.result.figures
        score, spent = figures.score, unit.spent(figures.pareto)
        if score is None or spent is None:
            left_out.setdefault("no overall score" if score is None else unit.unknown, []).append(column.label)
        else:
            measured.append(Measured(column.label, Interval(score.mean, score.low, score.high), spent))
    told = "; ".join(f"{listed(labels)}: {why}" for why, labels in left_out.items())
    return Tradeoff("score", unit.name, spots(measured), f"left out: {told}" if told else "")
