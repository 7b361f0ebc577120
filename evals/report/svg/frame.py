"""What plots share: the box, axes with ticks and names, the key at the right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from evals.report.svg.element import group, path, text
from evals.report.svg.marks import colour, mark, shown
from evals.report.svg.scale import Scale, apart, tick_label

LINE = 17.0  # between two lines of text
TICK_WIDTH = 46.0  # that a tick's label needs


class Box(NamedTuple):
    """Where figures are drawn. y grows downwards."""

    left: float
    top: float
    right: float
    bottom: float


def axes(box: Box, x: Scale, y: Scale, *, x_name: str, y_name: str, x_ticks: Sequence[float] | None = None) -> str:
    """Ticks of x that would touch are thinned out."""
    ticks = _thinned(x.ticks() if x_ticks is None else x_ticks, x)
    across = [_row(box, y(tick), tick_label(tick)) for tick in y.ticks()]
    up = [_column(box, x(tick), tick_label(tick)) for tick in ticks]
    names = [
        text(x_name, (box.left + box.right) / 2, box.bottom + 2.4 * LINE, anchor="middle", class_="name"),
        text(y_name, box.left - 38, box.top - 10, class_="name"),
    ]
    base = path([(box.left, box.top), (box.left, box.bottom), (box.right, box.bottom)], class_="axis")
    return group([*across, *up, base, *names])


def key(box: Box, entries: Sequence[tuple[int, str, float]]) -> str:
    """(index, name, wanted y): beside the plot, none over another; a thin line leads to where it was wanted."""
    if not entries:
        return ""
    places = apart([y for _, _, y in entries], gap=LINE, low=box.top, high=box.bottom)
    return group(_entry(box, *entry, place) for entry, place in zip(entries, places, strict=True))


def _entry(box: Box, index: int, name: str, y: float, place: float) -> str:
    lead = path([(box.right + 3, y), (box.right + 16, place)], class_=f"lead {colour(index)}")
    label = text(shown(name), box.right + 34, place + 4)
    return group([lead, mark(index, box.right + 23, place), label], title=name)


def whisker(index: int, ends: tuple[tuple[float, float], tuple[float, float]]) -> str:
    return path(ends, class_=f"whisker {colour(index)}")


def _row(box: Box, y: float, label: str) -> str:
    return group([path([(box.left, y), (box.right, y)], class_="grid"), text(label, box.left - 8, y + 4, anchor="end")])


def _column(box: Box, x: float, label: str) -> str:
    line = path([(x, box.top), (x, box.bottom)], class_="grid")
    return group([line, text(label, x, box.bottom + LINE, anchor="middle")])


def _thinned(ticks: Iterable[float], x: Scale) -> list[float]:
    kept: list[float] = []
    for tick in ticks:
        if not kept or abs(x(tick) - x(kept[-1])) >= TICK_WIDTH * 0.6:
            kept.append(tick)
    return kept
