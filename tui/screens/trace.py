"""One rollout: its facts above, a tree of its steps, and what the line under the cursor has in full."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.widgets import Static, Tree

from karl.control.exports import export_trace
from tui.documents import open_document
from tui.excerpts import beginning
from tui.reading.trace import TraceView, read_attempt_id, read_trace
from tui.reading.trace_nodes import answer_text, trace_nodes
from tui.reading.trace_steps import TraceNode
from tui.screens.base import RoomScreen
from tui.threads import in_thread
from tui.widgets.trace_header import header_text
from tui.widgets.trace_tree import TraceTree

SHOWN = 20_000  # characters beside the tree; all of them are copied


class TraceScreen(RoomScreen):
    ROOM = "traces"
    CSS_PATH = "trace.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", key_display="esc"),
        Binding("n", "beside(1)", "Next", tooltip="the next rollout of the list that it was opened from"),
        Binding("p", "beside(-1)", "The rollout before", show=False),
        Binding("t", "tokens", "Tokens"),
        Binding("y", "copy", "Copy", show=False, tooltip="copy what the line under the cursor has in full"),
        Binding("Y", "copy_answer", "Copy answer", show=False),
        Binding("e", "export", "Export", tooltip="export the rollout as JSON into the working folder"),
        Binding("o", "open_source", "Source", tooltip="open the document of the passage under the cursor"),
    ]

    def __init__(
        self, rollout_id: int, *, beside: Callable[[int, int], int | None] | None = None, back: str = ""
    ) -> None:
        """beside: of the list that it was opened from: the rollout so many lines below another one; back: the room
        that Escape leads to, "" for the list."""
        super().__init__()
        self._rollout_id, self._beside, self._back = rollout_id, beside, back
        self._view: TraceView | None = None

    def compose_room(self) -> ComposeResult:
        yield Static(id="header", markup=False)
        with Container(id="parts"):
            yield TraceTree(id="tree")
            with VerticalScroll(id="detail"):
                yield Static(id="text", markup=False)

    def on_mount(self) -> None:
        self.query_one("#header").border_title = "rollout"
        self.query_one("#detail").border_title = "in full"

    # -- reading -----------------------------------------------------------------------------------------------------

    def come_back(self) -> None:
        """A rollout does not change: it is read once. Another room may want another one, or the list."""
        if self.desk.filter is not None:
            self.dismiss()
        elif self.desk.rollout_id is not None:
            self._rollout_id, self.desk.rollout_id = self.desk.rollout_id, None
            self._back, self.desk.back = self.desk.back, ""
            self._view = None
        self.read()

    def reading(self, *, afresh: bool) -> Callable[[], Any] | None:
        return partial(read_trace, self.desk.store, self._rollout_id) if afresh or self._view is None else None

    def show(self, view: TraceView | None) -> str:
        if view is None:
            self._view = None
            return f"rollout {self._rollout_id} is no longer in the store  {self.desk.source}"
        if view != self._view:
            self._view = view
            self._draw_header()
            self.query_one(TraceTree).show(trace_nodes(view))
            self.query_one(TraceTree).focus()
        return f"rollout {view.place.rollout_id}  {self.desk.source}"

    def on_resize(self) -> None:
        self._draw_header()

    def _draw_header(self) -> None:
        if self._view is not None:
            self.query_one("#header", Static).update(header_text(self._view, width=self.size.width - 2))

    # -- the tree ----------------------------------------------------------------------------------------------------

    @on(Tree.NodeHighlighted)
    def _show_text(self, event: Tree.NodeHighlighted[TraceNode]) -> None:
        if event.node.data is not None:
            self.query_one("#text", Static).update(beginning(event.node.data.text, characters=SHOWN))
            self.query_one("#detail").scroll_home(animate=False)

    @on(Tree.NodeSelected)
    def _follow(self, event: Tree.NodeSelected[TraceNode]) -> None:
        node = event.node.data
        if node is not None and node.attempt:
            work = partial(read_attempt_id, self.desk.store, node.attempt)
            in_thread(self, work, self._open_attempt)
        elif node is not None and not node.children:
            self.query_one("#detail").focus()

    def _open_attempt(self, rollout_id: int | None) -> None:
        if rollout_id is None:
            self.say("that attempt is no longer in the store", failed=True)
        else:
            self.app.push_screen(TraceScreen(rollout_id))

    # -- actions -----------------------------------------------------------------------------------------------------

    def action_leave(self) -> None:
        if self.query_one("#detail").has_focus:
            self.query_one(TraceTree).focus()
        else:
            self.dismiss()
            if self._back:
                self.app.switch_mode(self._back)

    def action_beside(self, by: int) -> None:
        found = self._beside(self._rollout_id, by) if self._beside else None
        if found is None:
            self.say(f"no rollout {'after' if by > 0 else 'before'} it in the list")
            return
        self._rollout_id, self._view = found, None
        self.read(afresh=True)

    def action_tokens(self) -> None:
        from tui.screens.tokens import TokensScreen

        self.app.push_screen(TokensScreen(self._rollout_id))

    def action_copy(self) -> None:
        node = self.query_one(TraceTree).chosen
        if node is not None:
            self.app.copy_to_clipboard(node.text or node.label)
            self.say(f"copied {len(node.text or node.label):,} characters")

    def action_copy_answer(self) -> None:
        if self._view is not None:
            self.app.copy_to_clipboard(answer_text(self._view.record))
            self.say("copied the answer")

    def action_export(self) -> None:
        work = partial(export_trace, self.desk.store, self._rollout_id, folder=Path())
        in_thread(self, work, lambda path: self.say(f"wrote {path.name} in {path.parent}"))

    def action_open_source(self) -> None:
        node = self.query_one(TraceTree).chosen
        if node is None or node.chunk_id is None:
            self.say("put the cursor on a passage (a hit or a citation) to open its document")
            return
        if self._view is not None:
            open_document(self, self._view.passages[node.chunk_id])

    def commands(self) -> Iterator[SystemCommand]:
        """For the command palette."""
        yield SystemCommand("Tokens of this rollout", "with loss mask and log-probs", self.action_tokens)
        yield SystemCommand("Copy the answer", "with its explanation", self.action_copy_answer)
        yield SystemCommand("Export this rollout", "as JSON into the working folder", self.action_export)
        yield SystemCommand("Open the source", "of the passage under the cursor, at its page", self.action_open_source)
