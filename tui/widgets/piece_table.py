"""The list of graphs and prompts. Posts `PieceSelected` when the user moves, `PieceOpened` on Enter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import DataTable

from karl.control.workshop import Piece
from tui.messages import PieceOpened, PieceSelected

COLUMNS = ("kind", "name", "from", "state")


class PieceTable(DataTable[Text]):
    """A row a piece, keyed by its key. state: "broken" for one that can't be used."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("home", "scroll_top", "The first", show=False),
        Binding("end", "scroll_bottom", "The last", show=False),
    ]

    def on_mount(self) -> None:
        self.cursor_type = "row"
        self.border_title = "graphs and prompts"
        for name in COLUMNS:
            self.add_column(name, key=name)

    def show(self, pieces: Sequence[Piece], *, selected: str) -> None:
        """Draw `pieces` with the cursor on `selected`."""
        keys = [piece.key for piece in pieces]
        with self.prevent(DataTable.RowHighlighted):
            self.clear()
            for piece in pieces:
                self.add_row(*_cells(piece), key=piece.key)
            if selected in keys:
                self.move_cursor(row=keys.index(selected))

    def on_resize(self) -> None:
        """What is picked stays in sight."""
        self.move_cursor(row=self.cursor_row)

    @on(DataTable.RowHighlighted)
    def _moved(self, event: DataTable.RowHighlighted) -> None:
        event.stop()
        if event.row_key is not None and event.row_key.value is not None:
            self.post_message(PieceSelected(event.row_key.value))

    @on(DataTable.RowSelected)
    def _chosen(self, event: DataTable.RowSelected) -> None:
        event.stop()
        if event.row_key is not None and event.row_key.value is not None:
            self.post_message(PieceOpened(event.row_key.value))


def _cells(piece: Piece) -> list[Text]:
    state = Text("! broken", style="bold") if piece.problem else Text("")
    return [Text(str(piece.kind)), Text(piece.shown), Text(piece.origin), state]
