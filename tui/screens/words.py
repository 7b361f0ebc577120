"""The last words of a process that has ended before it came to its run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static


class WordsScreen(ModalScreen[None]):
    CSS_PATH = "dialog.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter", "dismiss", "Close", key_display="esc"),
        Binding("y", "copy", "Copy"),
    ]

    def __init__(self, title: str, said: Sequence[str]) -> None:
        super().__init__()
        self._heading, self._said = title, "\n".join(said) or "it said nothing"

    def compose(self) -> ComposeResult:
        with VerticalScroll() as frame:
            frame.border_title = f"{self._heading} (esc closes, y copies)".replace("[", "\\[")
            yield Static(Text(self._said))

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self._said)
        self.notify("copied")
