"""A table whose rows are shown again every second: what did not change is left alone, the cursor stays on its row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

from rich.text import Text
from textual.widgets import DataTable


class Column(NamedTuple):
    """right: a number; least: width of the table from which on there is room for it."""

    name: str
    right: bool = False
    least: int = 0


class RowTable(DataTable[Text]):
    """key -> column -> text. Subclasses name their COLUMNS."""

    COLUMNS: ClassVar[tuple[Column, ...]] = ()

    def on_mount(self) -> None:
        self.cursor_type = "row"
        self._lay(self._fitting())

    def show_rows(self, rows: Mapping[str, Mapping[str, Text | str]], *, selected: str | None = None) -> None:
        """Draw `rows` in their order, the cursor on `selected`; None: where it was."""
        cursor = selected if selected is not None else self.selected
        with self.prevent(DataTable.RowHighlighted):
            if (fitting := self._fitting()) != [key.value for key in self.columns]:
                self._lay(fitting)
            if list(rows) != [key.value for key in self.rows]:
                self.clear()
                for key, row in rows.items():
                    self.add_row(*(self._cell(row, name) for name in fitting), key=key)
            else:
                self._update(rows, fitting)
            if cursor is not None and cursor in rows:
                self.move_cursor(row=list(rows).index(cursor))

    @property
    def selected(self) -> str | None:
        """The key of the row that the cursor is on."""
        if not self.is_valid_row_index(self.cursor_row):
            return None
        return self.coordinate_to_cell_key(self.cursor_coordinate).row_key.value

    @property
    def room(self) -> int:
        """Width of the table, in cells; before it is laid out, of the terminal."""
        return self.size.width or self.app.size.width

    def _fitting(self) -> list[str]:
        return [column.name for column in self.COLUMNS if self.room >= column.least]

    def _lay(self, names: list[str]) -> None:
        self.clear(columns=True)
        for column in self.COLUMNS:
            if column.name in names:
                self.add_column(Text(column.name, justify="right" if column.right else "left"), key=column.name)

    def _update(self, rows: Mapping[str, Mapping[str, Text | str]], names: list[str]) -> None:
        for key, row in rows.items():
            for name in names:
                cell = self._cell(row, name)
                if self.get_cell(key, name) != cell:
                    self.update_cell(key, name, cell, update_width=True)

    def _cell(self, row: Mapping[str, Text | str], name: str) -> Text:
        right = next(column.right for column in self.COLUMNS if column.name == name)
        given = row.get(name, "")
        text = given.copy() if isinstance(given, Text) else Text(given)
        text.justify = "right" if right else "left"
        return text
