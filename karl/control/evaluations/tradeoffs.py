"""Quality against cost and latency, of systems that had the same questions and judge: others cannot be beaten."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from evals.report.document import ParetoPoint
from evals.report.joined import Column, Joined
from evals.report.pareto import Point, dominates
from evals.report.text import listed
from karl.control.evaluations.values import Interval, Spot, Tradeoff

USD = "USD a query"
UNITS: dict[str, Callable[[ParetoPoint], float | None]] = {
    USD: lambda point: point.usd_per_query,
    "tokens a query": lambda point: point.tokens_per_query,
    "median seconds to the first answer token": lambda point: point.seconds_p50,
}


class Measured(NamedTuple):
    label: str
    score: Interval
    spent: float


def tradeoffs(joined: Joined) -> Iterator[Tradeoff]:
    groups: dict[object, list[Column]] = {}
    for column in joined.columns:
        items = tuple((task.name, task.judged_by) for task in column.document.tasks)
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


def _tradeoff(columns: Sequence[Column], unit: str) -> Tradeoff:
    measured: list[Measured] = []
    left_out: dict[str, list[str]] = {}
    for column in columns:
        score, spent = column.result.figures.score, UNITS[unit](column.result.figures.pareto)
        if score is None or spent is None:
            left_out.setdefault(_missing(column, unit), []).append(column.label)
        else:
            measured.append(Measured(column.label, Interval(score.mean, score.low, score.high), spent))
    told = "; ".join(f"{listed(labels)}: {why}" for why, labels in left_out.items())
    return Tradeoff("score", unit, spots(measured), f"left out: {told}" if told else "")


def _missing(column: Column, unit: str) -> str:
    figures = column.result.figures
    if figures.score is None:
        return "no overall score"
    if unit == USD and figures.cost.unpriced:
        return "no price of the model is known (`karl eval --prices FILE`)"
    return "it was not measured"
