"""Quality against what it costs, with the front of the systems that nobody beats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from evals.report.pareto import Point as Measured
from evals.report.pareto import front
from evals.report.svg.element import drawing, group, path
from evals.report.svg.frame import LINE, Box, axes, key, whisker
from evals.report.svg.marks import mark
from evals.report.svg.scale import Scale, linear, spread_out
from evals.report.text import number, percent

WIDTH, HEIGHT = 760.0, 360.0


class Spot(NamedTuple):
    """`quality` with its interval, a share; `spent`: in the unit of the axis."""

    look: int
    system: str
    quality: float
    low: float
    high: float
    spent: float


def scatter(spots: Sequence[Spot], *, name: str, title: str, description: str, x_name: str) -> str:
    """The key is in the order of quality. Raises: ValueError without spots."""
    if not spots:
        raise ValueError("nothing to plot")
    box = Box(62, 34, WIDTH - 210, HEIGHT - 3 * LINE)
    x = spread_out([spot.spent for spot in spots], box.left, box.right)
    y = linear([100 * end for spot in spots for end in (spot.low, spot.high)], box.bottom, box.top, zero=True)
    scale_name = f"{x_name}, logarithmic" if x.log else x_name
    frame = axes(box, x, y, x_name=scale_name, y_name="score, %")
    best = {point.label for point in front([Measured(spot.system, spot.quality, spot.spent) for spot in spots])}
    ordered = sorted(spots, key=lambda spot: -spot.quality)
    drawn = [_spot(spot, x, y) for spot in spots]
    named = key(box, [(spot.look, spot.system, y(100 * spot.quality)) for spot in ordered])
    line = _front([spot for spot in spots if spot.system in best], x, y, box)
    return drawing(
        frame, line, *drawn, named, width=WIDTH, height=HEIGHT, name=name, title=title, description=description
    )


def _spot(spot: Spot, x: Scale, y: Scale) -> str:
    at = x(spot.spent)
    spread = whisker(spot.look, ((at, y(100 * spot.low)), (at, y(100 * spot.high))))
    said = f"{spot.system}: {percent(spot.quality)} at {number(spot.spent)}"
    return group([spread, mark(spot.look, at, y(100 * spot.quality))], title=said)


def _front(spots: Sequence[Spot], x: Scale, y: Scale, box: Box) -> str:
    """Steps: between two systems nobody has shown more than the cheaper one's quality."""
    places = [(x(spot.spent), y(100 * spot.quality)) for spot in sorted(spots, key=lambda spot: spot.spent)]
    steps = [places[0]]
    for at, height in places[1:]:
        steps += [(at, steps[-1][1]), (at, height)]
    return path([*steps, (box.right, steps[-1][1])], class_="front")
