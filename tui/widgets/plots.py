"""Systems as points and curves: each has a sign of its own, so that no colour is needed to tell them apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from textual_plot import HiResMode, PlotWidget
from textual_plot.axis_formatter import CategoricalAxisFormatter

SIGNS = "●▲■◆▼○△□◇▽"
HUES = ("primary", "accent", "success", "warning", "error", "secondary")
CROWD = 4  # systems; of more the intervals would hide the points: the tables have them
ROOM = 0.08  # of the range, left free around the points


class Mark(NamedTuple):
    """One value with its interval."""

    x: float
    mean: float
    low: float
    high: float


class Series(NamedTuple):
    """`look`: number of its sign and hue."""

    look: int
    marks: tuple[Mark, ...]


def sign(look: int) -> str:
    return SIGNS[look % len(SIGNS)]


class SystemPlot(PlotWidget):
    """Points with their intervals; `lines`: joined. Keys stay with the room: it is no part to be focused."""

    def __init__(self, *, id: str, lines: bool) -> None:
        super().__init__(id=id, allow_pan_and_zoom=False)
        self.can_focus = False
        self._lines = lines
        self._series: Sequence[Series] = ()

    def on_mount(self) -> None:
        self.margin_top, self.margin_left = 1, 8
        self.app.theme_changed_signal.subscribe(self, lambda _: self._draw())

    def show(self, series: Sequence[Series], *, x_name: str, y_name: str, names: Sequence[str] = ()) -> None:
        """names: of x = 1, 2, 3 ...; empty: x is a number, from 0 on."""
        self._series = series
        self.set_xlabel(x_name)
        self.border_title = f"{y_name} against {x_name}"
        marks = [mark for one in series for mark in one.marks]
        if names:
            self.set_x_formatter(CategoricalAxisFormatter(list(names)))
            self.set_xticks([float(number) for number in range(1, len(names) + 1)])
            self.set_xlimits(0.8, len(names) + 0.2)
        elif marks:
            self.set_xlimits(0.0, max(mark.x for mark in marks) * (1 + ROOM) or 1.0)
        if marks:
            low, high = min(mark.low for mark in marks), max(mark.high for mark in marks)
            free = (high - low) * ROOM or ROOM
            self.set_ylimits(low - free, high + free)
        self._draw()

    def _draw(self) -> None:
        self.clear()
        for one in self._series:
            style = self.app.theme_variables[HUES[one.look % len(HUES)]]
            for mark in one.marks if len(self._series) <= CROWD else ():
                self.plot([mark.x, mark.x], [mark.low, mark.high], line_style=style, hires_mode=HiResMode.BRAILLE)
            if self._lines and len(one.marks) > 1:
                xs, ys = [mark.x for mark in one.marks], [mark.mean for mark in one.marks]
                self.plot(xs, ys, line_style=style, hires_mode=HiResMode.BRAILLE)
        # Signs last, so that no line runs over them.
        for one in self._series:
            style = self.app.theme_variables[HUES[one.look % len(HUES)]]
            xs, ys = [mark.x for mark in one.marks], [mark.mean for mark in one.marks]
            self.scatter(xs, ys, marker=sign(one.look), marker_style=style)
