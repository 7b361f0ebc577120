"""Dots with intervals, a row for each figure: scores by task and system, shares by class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from evals.report.svg.element import drawing, group, path, text
from evals.report.svg.frame import LINE, Box, whisker
from evals.report.svg.marks import mark, shown
from evals.report.svg.scale import Scale, linear, tick_label
from evals.report.text import cut, percent

WIDTH = 760.0
LABEL_CHARS = 30


class Dot(NamedTuple):
    """`look`: number of the system. `low`, `high`: None where there is no interval."""

    look: int
    system: str
    value: float
    low: float | None = None
    high: float | None = None


class Lane(NamedTuple):
    """The dots of one thing measured, a line each."""

    name: str
    dots: tuple[Dot, ...]


def dots(lanes: Sequence[Lane], *, name: str, title: str, description: str, x_name: str) -> str:
    """Values are shares, shown in percent."""
    lines = sum(len(lane.dots) for lane in lanes)
    box = Box(230, 12, WIDTH - 190, 12 + LINE * lines + 10 * len(lanes))
    scale = _scale(lanes, box)
    parts = [_tick(box, scale(tick), tick) for tick in scale.ticks()]
    y = box.top
    for lane in lanes:
        parts.append(text(cut(lane.name, LABEL_CHARS), box.left - 12, y + LINE * 0.5 + 9, anchor="end", class_="lane"))
        for dot in lane.dots:
            parts.append(_dot(box, scale, dot, lane.name, y + LINE * 0.5 + 5))
            y += LINE
        y += 10
        parts.append(path([(12, y), (box.right, y)], class_="grid"))
    foot = text(x_name, (box.left + box.right) / 2, box.bottom + 2.4 * LINE, anchor="middle", class_="name")
    height = box.bottom + 3 * LINE
    return drawing(*parts, foot, width=WIDTH, height=height, name=name, title=title, description=description)


def _scale(lanes: Sequence[Lane], box: Box) -> Scale:
    ends = [
        100 * end for lane in lanes for dot in lane.dots for end in (dot.value, dot.low, dot.high) if end is not None
    ]
    return linear([*ends, *([10.0] if max(ends, default=0.0) < 10 else [])], box.left, box.right, zero=True)


def _tick(box: Box, x: float, tick: float) -> str:
    line = path([(x, box.top), (x, box.bottom)], class_="grid")
    return group([line, text(tick_label(tick), x, box.bottom + LINE, anchor="middle")])


def _dot(box: Box, scale: Scale, dot: Dot, lane: str, y: float) -> str:
    bounds = (scale(100 * dot.low), scale(100 * dot.high)) if dot.low is not None and dot.high is not None else None
    spread = [whisker(dot.look, ((bounds[0], y), (bounds[1], y)))] if bounds else []
    said = f"{lane}, {dot.system}: {percent(dot.value)}"
    if dot.low is not None and dot.high is not None:
        said += f" [{percent(dot.low)}, {percent(dot.high)}]"
    label = text(f"{percent(dot.value)}  {shown(dot.system)}", box.right + 12, y + 4)
    return group([*spread, mark(dot.look, scale(100 * dot.value), y), label], title=said)
