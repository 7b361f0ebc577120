"""Curves with the band of their intervals: max@k against k, documents against turns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from evals.report.svg.element import drawing, group, path
from evals.report.svg.frame import LINE, Box, axes, key
from evals.report.svg.marks import colour, mark
from evals.report.svg.scale import Scale, linear
from evals.report.text import number

WIDTH, HEIGHT = 760.0, 340.0


class Knot(NamedTuple):
    """`low`, `high`: None where there is no interval."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


class Series(NamedTuple):
    """`look`: number of the system."""

    look: int
    system: str
    points: tuple[Knot, ...]


def curves(
    series: Sequence[Series],
    *,
    name: str,
    title: str,
    description: str,
    x_name: str,
    y_name: str,
    doubling: bool = False,
) -> str:
    """`doubling`: x in powers of two, a tick at each point. Raises: ValueError without points."""
    every = [point for one in series for point in one.points]
    if not every:
        raise ValueError("nothing to plot")
    box = Box(62, 34, WIDTH - 210, HEIGHT - 3 * LINE)
    ends = [end for point in every for end in (point.y, point.low, point.high) if end is not None]
    y = linear(ends, box.bottom, box.top, zero=True)
    x = _across([point.x for point in every], box, doubling=doubling)
    ticks = sorted({point.x for point in every}) if doubling else None
    frame = axes(box, x, y, x_name=x_name, y_name=y_name, x_ticks=ticks)
    drawn = [_one(one, x, y) for one in series if one.points]
    named = key(box, [(one.look, one.system, y(one.points[-1].y)) for one in series if one.points])
    return drawing(frame, *drawn, named, width=WIDTH, height=HEIGHT, name=name, title=title, description=description)


def _across(values: Sequence[float], box: Box, *, doubling: bool) -> Scale:
    least, most = min(values), max(values)
    if not doubling:
        return linear(values, box.left, box.right, zero=True)
    # A little room at both ends, and one point in the middle.
    low, high = (least / 1.15, most * 1.15) if most > least else (least / 2, most * 2)
    return Scale(low, high, box.left, box.right, log=True)


def _one(one: Series, x: Scale, y: Scale) -> str:
    places = [(x(point.x), y(point.y)) for point in one.points]
    upper = [(x(point.x), y(point.high)) for point in one.points if point.high is not None]
    lower = [(x(point.x), y(point.low)) for point in one.points if point.low is not None]
    band = [path([*upper, *reversed(lower)], closed=True, class_=f"band {colour(one.look)}")] if upper else []
    line = path(places, class_=f"line {colour(one.look)}")
    said = ", ".join(f"{number(point.x)}: {number(point.y)}" for point in one.points)
    # Marks of hundreds of points would hide the line.
    marked = places if len(places) <= math.ceil(WIDTH / 40) else places[-1:]
    return group([*band, line, *(mark(one.look, *place) for place in marked)], title=f"{one.system}: {said}")
