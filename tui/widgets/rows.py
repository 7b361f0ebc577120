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

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, cursor_type="row")
        self._widths: dict[str, int] = {}

    def show_rows(self, rows: Mapping[str, Mapping[str, Text | str]], *, selected: str | None = None) -> None:
        """Draw `rows` in their order, the cursor on `selected`; None: where it was."""
        cursor = selected if selected is not None else self.selected
        cells = {key: [self._cell(row, column) for column in self._fitting()] for key, row in rows.items()}
        with self.prevent(DataTable.RowHighlighted):
            if not self._lay(cells) and list(cells) == [key.value for key in self.rows]:
                self._update(cells)
            else:
                self.clear()
                for key, row in cells.items():
                    self.add_row(*row, key=key)
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

    def _fitting(self) -> list[Column]:
        return [column for column in self.COLUMNS if self.room >= column.least]

    def _lay(self, cells: Mapping[str, list[Text]]) -> bool:
        """Columns as wide as what is in them, or was: changing figures must not move them. Answers if they are new.

        Widths are ours: the table's own follow when it is idle, behind what was painted meanwhile.
        """
        names = [column.name for column in self._fitting()]
        widths = {
            name: max(len(name), self._widths.get(name, 0), *(row[place].cell_len for row in cells.values()), 0)
            for place, name in enumerate(names)
        }
        if widths == self._widths and self.columns:
            return False
        self.clear(columns=True)
        self._widths = widths
        for column in self._fitting():
            label = Text(column.name, justify="right" if column.right else "left")
            self.add_column(label, key=column.name, width=widths[column.name])
        return True

    def _update(self, cells: Mapping[str, list[Text]]) -> None:
        for key, row in cells.items():
            for name, cell in zip(self._widths, row, strict=True):
                if self.get_cell(key, name) != cell:
                    self.update_cell(key, name, cell)

    def _cell(self, row: Mapping[str, Text | str], column: Column) -> Text:
        given = row.get(column.name, "")
        text = given.copy() if isinstance(given, Text) else Text(given)
        text.justify = "right" if column.right else "left"
        return text
