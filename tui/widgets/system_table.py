"""The systems of one or several evaluations, a row each. Two that are marked are the pair that is compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from rich.cells import cell_len
from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import DataTable

from karl.control.evaluations import SystemLine
from tui.evaluation_text import value
from tui.grid import cut

SYSTEM_WIDTH = 30
SPACIOUS = 130  # columns of the screen from which on intervals have room
NAMES = ("", "system", "T", "score", "pass@1", "max@k", "searches", "made", "failed", "unfinished", "unjudged")
BEFORE, AFTER = "1", "2"  # which of the pair it is


class SystemTable(DataTable[Text]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "Pair", tooltip="mark the first, then the second of the pair that is compared")
    ]

    @dataclass
    class Marked(Message):
        label: str

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, cursor_type="row", cell_padding=1)
        self._lines: tuple[SystemLine, ...] = ()

    def show(self, lines: Sequence[SystemLine], *, pair: Sequence[str]) -> None:
        """Columns that no line has a figure for are left out."""
        place = self.cursor_row
        self._lines = tuple(lines)
        cells = [_cells(line, pair, brief=self.app.size.width < SPACIOUS) for line in lines]
        names = [name for name in NAMES if name == "" or any(row[name] for row in cells)]
        self.clear(columns=True)
        for name in names:
            heading = _heading(name, lines)
            width = max(map(cell_len, (heading, *(row[name] for row in cells))))
            self.add_column(Text(heading, justify=_side(name)), key=name or "mark", width=max(1, width))
        for row in cells:
            self.add_row(*(Text(row[name], justify=_side(name)) for name in names))
        if lines:
            self.move_cursor(row=min(place, len(lines) - 1))

    def action_mark(self) -> None:
        if 0 <= self.cursor_row < len(self._lines):
            self.post_message(self.Marked(self._lines[self.cursor_row].label))

    @on(DataTable.RowSelected)
    def _ignored(self, event: DataTable.RowSelected) -> None:
        event.stop()


def _side(name: str) -> Literal["left", "right"]:
    return "left" if name in ("", "system") else "right"


def _heading(name: str, lines: Sequence[SystemLine]) -> str:
    """max@k has its k where all lines share it."""
    ks = {line.k for line in lines}
    return f"max@{ks.pop()}" if name == "max@k" and len(ks) == 1 else name


def _cells(line: SystemLine, pair: Sequence[str], *, brief: bool) -> dict[str, str]:
    """brief: without the intervals, which the table below has."""
    places = dict(zip(pair, (BEFORE, AFTER), strict=False))
    means = {"score": line.score, "pass@1": line.pass_at_1, "max@k": line.max_at_k}
    counts = {"failed": line.failed, "unfinished": line.unfinished, "unjudged": line.unjudged}
    return {
        "": places.get(line.label, ""),
        "system": cut(line.label, SYSTEM_WIDTH),
        "T": "" if line.temperature is None else f"{line.temperature:g}",
        "searches": "" if line.searches is None else f"{line.searches:.2f}",
        "made": f"{line.generations:,}",
        **{name: "" if found is None else value(found.mean if brief else found) for name, found in means.items()},
        **{name: f"{count:,}" if count else "" for name, count in counts.items()},
    }
