"""Curves over steps: `textual_plot` with the theme's colours, few ticks, and no keys or wheel of its own.

Curves of one plot differ by their dots as well as by their colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import ClassVar, NamedTuple

from textual import on
from textual.events import MouseScrollDown, MouseScrollUp
from textual.reactive import reactive
from textual_plot import HiResMode, PlotWidget
from textual_plot.axis_formatter import NumericAxisFormatter

FEW = 12  # points that are marked one by one
LEAST = (12, 4)  # cells, columns and rows: below that nothing could be read
COLOURS = ("accent", "primary", "success", "warning", "error")
MARKERS = ("●", "▲", "○", "◆", "□")
SIGNS = ("⠒", "▀", "○", "◆", "□")  # beside the names of curves that are lines
MODES = (HiResMode.BRAILLE, HiResMode.QUADRANT)


class Line(NamedTuple):
    """points: (x, y) in order; intervals: (low, high) of each, where there are any."""

    label: str
    points: tuple[tuple[float, float], ...]
    intervals: tuple[tuple[float, float], ...] = ()


class Ticks(NumericAxisFormatter):
    """Short: 12,000, 0.25, 1e-05; `whole`: of steps, nothing between two of them."""

    def __init__(self, *, whole: bool = False) -> None:
        super().__init__()
        self._whole = whole

    def get_labels_for_ticks(self, ticks: Sequence[float]) -> list[str]:
        return [self._label(tick) for tick in ticks]

    def _label(self, tick: float) -> str:
        if self._whole:
            return _short(round(tick)) if abs(tick - round(tick)) < 1e-9 else ""
        tidy = 0.0 if abs(tick) < 1e-12 else tick
        return f"{tidy:,.0f}" if abs(tidy) >= 1000 else f"{tidy:.3g}"


def _placed(line: Line) -> Line:
    if line.intervals:  # of evaluations: always numbers
        return line
    return line._replace(points=tuple(point for point in line.points if isfinite(point[1])))


def _short(step: int) -> str:
    """`12.5k`: whole numbers of steps would run into one another."""
    return f"{step / 1000:g}k" if abs(step) >= 1000 else str(step)


class Plot(PlotWidget, can_focus=False):
    """Scrolling over it scrolls the room."""

    margin_top = reactive(0)
    margin_bottom = reactive(1)
    margin_left = reactive(9)
    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__(allow_pan_and_zoom=False)
        self._lines: tuple[Line, ...] = ()
        self.set_x_formatter(Ticks(whole=True))
        self.set_y_formatter(Ticks())

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, lambda _: self._draw())
        self.call_after_refresh(self._draw)

    def show(self, lines: Sequence[Line]) -> None:
        """Drawn anew only when something changed. What is not finite has no place and is left out."""
        placed = tuple(_placed(line) for line in lines)
        if placed != self._lines:
            self._lines = placed
            if self.is_mounted:
                self._draw()

    @on(MouseScrollDown)
    @on(MouseScrollUp)
    def _leave_to_the_room(self, event: MouseScrollDown | MouseScrollUp) -> None:
        event.prevent_default()

    def _render_plot(self) -> None:
        size = self.query_one("#plot").size
        if size.width >= LEAST[0] and size.height >= LEAST[1]:
            super()._render_plot()

    def _draw(self) -> None:
        self.clear()
        placed = [(place, line) for place, line in enumerate(self._lines) if line.points]
        for add in (self._add_line, self._add_intervals, self._add_points):  # no line may cover an interval
            for place, line in placed:
                add(line, place, self._colour(place))
        self._set_limits()

    def _add_line(self, line: Line, place: int, colour: str) -> None:
        if place < len(MODES):
            x, y = zip(*line.points, strict=True)
            self.plot(x, y, line_style=colour, hires_mode=MODES[place])

    def _add_intervals(self, line: Line, place: int, colour: str) -> None:
        if line.intervals:
            x, _ = zip(*line.points, strict=True)
            middle = [(low + high) / 2 for low, high in line.intervals]
            half = [(high - low) / 2 for low, high in line.intervals]
            self.errorbar(x, middle, yerr=half, marker="│", marker_style=colour)

    def _add_points(self, line: Line, place: int, colour: str) -> None:
        if len(line.points) <= FEW or place >= len(MODES):
            x, y = zip(*line.points, strict=True)
            self.scatter(x, y, marker=MARKERS[place % len(MARKERS)], marker_style=colour)

    def _colour(self, place: int) -> str:
        return self.app.theme_variables[COLOURS[place % len(COLOURS)]]

    def _set_limits(self) -> None:
        """With room above and below, also of a curve that is flat or has one point."""
        xs = [x for line in self._lines for x, _ in line.points]
        ys = [y for line in self._lines for y in (*(y for _, y in line.points), *sum(line.intervals, ()))]
        if xs and ys:
            room = (max(ys) - min(ys)) * 0.05 or max(abs(max(ys)) * 0.1, 1e-6)
            aside = 0.5 if max(xs) - min(xs) < FEW else 0.0
            self.set_xlimits(min(xs) - aside, max(xs) + aside)
            self.set_ylimits(min(ys) - room, max(ys) + room)
