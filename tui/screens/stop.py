"""How a run shall be stopped, asked before it is."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

CHOICES = {
    "soon": "stop after what is under way (s)",
    "now": "stop at once (a): what is not finished is made again",
    "cancel": "let it run (esc)",
}


class StopScreen(ModalScreen[bool | None]):
    """Answers whether at once; None: not at all. A stopped run goes on where it was."""

    CSS_PATH = "dialog.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "answer('soon')", "Stop after what is under way"),
        Binding("a", "answer('now')", "Stop at once"),
        Binding("escape", "answer('cancel')", "Let it run"),
    ]

    def __init__(self, run: str) -> None:
        super().__init__()
        self._named = run

    def compose(self) -> ComposeResult:
        with Vertical() as frame:
            frame.border_title = f"stop run {self._named}?".replace("[", "\\[")
            yield OptionList(*(Option(text, id=name) for name, text in CHOICES.items()))

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.action_answer(event.option.id or "cancel")

    def action_answer(self, choice: str) -> None:
        self.dismiss(None if choice == "cancel" else choice == "now")
