"""Counts that can be opened: Enter on one asks for the rollouts behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.coordinate import Coordinate
from textual.widgets import DataTable, Static

from store.queries import RolloutFilter
from tui.messages import RolloutsWanted


class Count(NamedTuple):
    number: int
    filter: RolloutFilter


class Counts(NamedTuple):
    """One row; `all`: behind its title."""

    title: str
    all: RolloutFilter
    counts: tuple[Count, ...]


class CountTable(DataTable[Text]):
    """Drawn anew only when something changed; the cursor stays where it was."""

    def __init__(self) -> None:
        super().__init__(cursor_type="cell", zebra_stripes=False)
        self._columns_shown: tuple[str, ...] = ()
        self._rows_shown: tuple[Counts, ...] = ()

    def show(self, columns: Sequence[str], rows: Sequence[Counts]) -> None:
        if (tuple(columns), tuple(rows)) == (self._columns_shown, self._rows_shown):
            return
        self._columns_shown, self._rows_shown = tuple(columns), tuple(rows)
        at = self.cursor_coordinate
        self.clear(columns=True)
        self.add_columns("", *(Text(name, justify="right") for name in columns))
        for row in rows:
            cells = (f"{each.number:,}" if each.number else "" for each in row.counts)
            self.add_row(Text(row.title), *(Text(cell, justify="right") for cell in cells))
        self.move_cursor(row=at.row, column=at.column)

    @on(DataTable.CellSelected)
    def _chosen(self, event: DataTable.CellSelected) -> None:
        event.stop()
        self.post_message(RolloutsWanted(self._filter(event.coordinate)))

    def _filter(self, at: Coordinate) -> RolloutFilter:
        row = self._rows_shown[at.row]
        return row.counts[at.column - 1].filter if at.column else row.all


class CountPanel(Vertical):
    """The table, or in its place a word where there is nothing to count."""

    def __init__(self, title: str, *, empty: str, id: str) -> None:
        super().__init__(id=id)
        self.border_title, self._empty = title, empty

    def compose(self) -> ComposeResult:
        yield Static(self._empty, markup=False)
        yield CountTable()

    def show(self, columns: Sequence[str], rows: Sequence[Counts]) -> None:
        table = self.query_one(CountTable)
        table.display = bool(rows)
        self.query_one(Static).display = not rows
        table.show(columns, rows)
