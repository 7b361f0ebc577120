"""The list of evaluations. A refresh posts nothing; a mark is a sign in the first column."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import DataTable

from karl.control.evaluations import EvaluationLine
from tui.grid import cut
from tui.text import local_time

MARK = "*"
SPACIOUS = 130  # columns of the screen from which on every column has room
NARROW = {"": 1, "name": 24, "date": 10, "systems": 16, "asked": 6, "state": 10}
WIDE = {"": 1, "name": 32, "date": 16, "suite": 14, "systems": 0, "asked": 6, "judge": 16, "hash": 12, "state": 10}
RIGHT = ("asked",)


class EvaluationList(DataTable[Text]):
    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "mark", "Mark", tooltip="mark, to stand side by side")]

    @dataclass
    class Moved(Message):
        key: str

    @dataclass
    class Opened(Message):
        key: str

    @dataclass
    class Marked(Message):
        key: str

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, cursor_type="row", cell_padding=1)
        self._widths: dict[str, int] = {}
        self._lines: tuple[EvaluationLine, ...] = ()
        self._marked: Collection[str] = ()

    def on_mount(self) -> None:
        self.border_title = "evaluations"

    def show(self, lines: Sequence[EvaluationLine], *, selected: str | None, marked: Collection[str]) -> None:
        """Draw anew only what is not as it was."""
        widths = self._room()
        with self.prevent(DataTable.RowHighlighted):
            if widths != self._widths:
                self.clear(columns=True)
                self._lines = ()
                for name, width in widths.items():
                    heading = Text(name, justify="right" if name in RIGHT else "left")
                    self.add_column(heading, key=name or "mark", width=width or None)
                self._widths = widths
            if [line.key for line in lines] != [line.key for line in self._lines]:
                self.clear()
                for line in lines:
                    self.add_row(*self._cells(line, marked), key=line.key)
            elif self._lines != tuple(lines) or self._marked != marked:
                self._update(lines, marked)
            self._lines, self._marked = tuple(lines), marked
            keys = [line.key for line in lines]
            if selected in keys and self.cursor_row != keys.index(selected):
                self.move_cursor(row=keys.index(selected))

    def _update(self, lines: Sequence[EvaluationLine], marked: Collection[str]) -> None:
        for line in lines:
            for name, cell in zip(self._widths, self._cells(line, marked), strict=True):
                if self.get_cell(line.key, name or "mark") != cell:
                    self.update_cell(line.key, name or "mark", cell)

    def _room(self) -> dict[str, int]:
        width = self.app.size.width
        if width < SPACIOUS:
            # What is over goes to the names.
            over = max(0, width - sum(own + 2 for own in NARROW.values()))
            return NARROW | {"name": NARROW["name"] + over // 2, "systems": NARROW["systems"] + over - over // 2}
        taken = sum(own + 2 for own in WIDE.values())
        return WIDE | {"systems": max(20, width - taken)}

    def _cells(self, line: EvaluationLine, marked: Collection[str]) -> list[Text]:
        text = {
            "": MARK if line.key in marked else "",
            "name": line.name,
            "date": _day(line.date, self._widths["date"]),
            "suite": line.suite,
            "systems": ", ".join(line.systems),
            "asked": "" if line.questions is None else f"{line.questions:,}",
            "judge": line.judge,
            "hash": line.sha256[:12],
            "state": line.state,
        }
        return [
            Text(cut(text[name], width), justify="right" if name in RIGHT else "left")
            for name, width in self._widths.items()
        ]

    def _key(self) -> str | None:
        return self._lines[self.cursor_row].key if 0 <= self.cursor_row < len(self._lines) else None

    def action_mark(self) -> None:
        if (key := self._key()) is not None:
            self.post_message(self.Marked(key))

    @on(DataTable.RowHighlighted)
    def _moved(self, event: DataTable.RowHighlighted) -> None:
        event.stop()
        if event.row_key is not None and event.row_key.value is not None:
            self.post_message(self.Moved(event.row_key.value))

    @on(DataTable.RowSelected)
    def _chosen(self, event: DataTable.RowSelected) -> None:
        event.stop()
        if event.row_key is not None and event.row_key.value is not None:
            self.post_message(self.Opened(event.row_key.value))


def _day(date: datetime | None, width: int) -> str:
    """The time of day only where there is room for it."""
    return local_time(date)[:width] if date else ""
