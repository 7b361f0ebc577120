"""The room of graphs and prompts: which are in effect, what each looks like; Enter opens one in the workbench."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical, VerticalScroll
from textual.widgets import DataTable, Input, Static

from karl.control.workshop import Piece
from tui.messages import PieceOpened, PieceSelected
from tui.reading.graphs import Detail, GraphsReader, GraphsView
from tui.screens.base import RoomScreen
from tui.widgets.diagram_view import DiagramView
from tui.widgets.piece_table import PieceTable

LIVE = "a run stores its rollouts when they end; F5 in the workbench follows one"


class GraphsScreen(RoomScreen):
    ROOM = "graphs"
    CSS_PATH = "graphs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "edit", "Edit"),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("escape", "leave_filter", "Back to the list", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._reader = GraphsReader()
        self._view: GraphsView | None = None
        self._selected = ""

    def compose_room(self) -> ComposeResult:
        with Container(id="shelf"):
            with Vertical(id="list"):
                yield Input(placeholder="parts of a name: prompt solver", id="wanted")
                yield PieceTable(id="pieces")
            with Vertical(id="detail"):
                yield Static(id="about", markup=False)
                yield DiagramView(id="diagram")
                yield Static(LIVE, id="live", markup=False)
                with VerticalScroll(id="reader"):
                    yield Static(id="text", markup=False)

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#wanted").display = False
        self.query_one("#reader").display = False
        self.query_one(PieceTable).focus()

    def commands(self) -> Iterator[SystemCommand]:
        yield SystemCommand("Edit graph or prompt", "Open what is picked in the workbench", self.action_edit)
        yield SystemCommand("Filter graphs and prompts", "By a part of their name", self.action_filter)

    # -- reading -----------------------------------------------------------------------------------------------------

    def reading(self, *, afresh: bool) -> Callable[[], Any]:
        # Files tell by their times whether to read them again, also when the user comes back from the workbench.
        return partial(self._reader.read, self.desk.settings, selected=self._selected)

    def action_read_afresh(self) -> None:
        self._reader = GraphsReader()
        super().action_read_afresh()

    def show(self, view: GraphsView) -> str:
        before, self._view = self._view, view
        self._selected = self._selected or view.detail.piece.key
        if before is None or before.shelf is not view.shelf:
            self._show_list()
        if before is None or before.detail is not view.detail:
            self._show_detail(view.detail)
        broken = sum(bool(piece.problem) for piece in view.shelf.pieces)
        ignored = f"  {view.shelf.ignored[0]}" if view.shelf.ignored else ""
        own = sum(not piece.built_in for piece in view.shelf.pieces)
        return f"{len(view.shelf.pieces)} graphs and prompts, {own} yours, {broken} broken{ignored}"

    def _pieces(self) -> list[Piece]:
        words = self.query_one("#wanted", Input).value.lower().split()
        pieces = self._view.shelf.pieces if self._view else []
        return [piece for piece in pieces if all(word in piece.key for word in words)]

    def _show_list(self) -> None:
        pieces = self._pieces()
        if pieces and self._selected not in [piece.key for piece in pieces]:
            self._select(PieceSelected(pieces[0].key))
        self.query_one(PieceTable).show(pieces, selected=self._selected)

    def _show_detail(self, detail: Detail) -> None:
        # A broken graph is shown as text: there the mistake can be seen.
        drawn = detail.diagram is not None
        self.query_one("#diagram").display = self.query_one("#live").display = drawn
        self.query_one("#reader").display = not drawn
        self.query_one("#about", Static).update(_about(detail))
        self.query_one("#detail").border_title = detail.piece.shown
        if drawn:
            self.query_one(DiagramView).show(detail.diagram)
        else:
            self.query_one("#text", Static).update(detail.text)
            self.query_one("#reader").scroll_home(animate=False)

    # -- keys --------------------------------------------------------------------------------------------------------

    @on(PieceSelected)
    def _select(self, event: PieceSelected) -> None:
        if event.key != self._selected:
            self._selected = event.key
            self.read(afresh=True)

    @on(PieceOpened)
    def _open(self, event: PieceOpened) -> None:
        self._selected = event.key
        self.action_edit()

    def action_edit(self) -> None:
        piece = next((piece for piece in self._pieces() if piece.key == self._selected), None)
        if piece is not None:
            from tui.screens.workbench import WorkbenchScreen

            self.app.push_screen(WorkbenchScreen(piece))

    def action_filter(self) -> None:
        wanted = self.query_one("#wanted", Input)
        wanted.display = True
        wanted.focus()

    @on(Input.Changed, "#wanted")
    def _narrow(self) -> None:
        self._show_list()

    @on(Input.Submitted, "#wanted")
    def action_leave_filter(self) -> None:
        wanted = self.query_one("#wanted", Input)
        wanted.display = bool(wanted.value)
        self.query_one(DataTable).focus()


def _about(detail: Detail) -> str:
    piece = detail.piece
    hides = "".join(f"\nhides {path}" for path in piece.shadows)
    if problem := piece.problem or detail.problem:
        return f"! broken: {problem}{hides}"
    # Of a built-in file the name says enough: where the package lies is no place to edit.
    where = f"comes with karl: {'/'.join(piece.path.parts[-2:])}" if piece.built_in else str(piece.path)
    return f"{piece.about}\n{where}{hides}"
