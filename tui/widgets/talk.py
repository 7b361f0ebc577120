"""The questions of a conversation with what came of them, the newest last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from tui.widgets.exchange import Exchange
from tui.widgets.spoken import AnswerLine

HINT = "Type a question and press Enter. Escape leaves the line; then c chooses corpus, checkpoints and ways to answer."


class Talk(VerticalScroll, can_focus=False):
    """Its lines take the focus, so that one moves from one to the next."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "step(-1)", "To what can be opened above", show=False),
        Binding("down", "step(1)", "To what can be opened below", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(id="talk")
        self.newest: Exchange | None = None

    def compose(self) -> ComposeResult:
        yield Static(HINT, id="hint", markup=False)

    def on_mount(self) -> None:
        self.border_title = "conversation"

    @property
    def answers(self) -> list[AnswerLine]:
        """Of the newest question."""
        return self.newest.answers if self.newest is not None else []

    def begin(self, question: str, titles: Sequence[str] | None) -> Exchange:
        self.query_one("#hint").display = False
        self.newest = Exchange(question, titles)
        self.mount(self.newest)
        self.scroll_end(animate=False)
        return self.newest

    def keep_up(self) -> None:
        """The newest stays in sight, until the user scrolls up."""
        # Not before it is full: an anchored conversation of a line would stand at the bottom.
        if self.max_scroll_y > 0 and not self.is_anchored:
            self.anchor()

    def action_step(self, by: int) -> None:
        if by < 0:
            self.screen.focus_previous(".opens")
        else:
            self.screen.focus_next(".opens")

    def page(self, by: int) -> None:
        if by < 0:
            self.scroll_page_up(animate=False)
        else:
            self.scroll_page_down(animate=False)
