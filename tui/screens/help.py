"""The keys, over whatever screen is shown."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Static

KEYS = {
    "up, down": "another run",
    "tab": "to the run's details and back; up and down scroll them",
    "t": "another training of this run",
    "r": "read the store now",
    "ctrl+p": "commands, themes",
    "?": "these keys; ? or Esc closes them",
    "q": "quit; runs go on",
}


class HelpScreen(ModalScreen[None]):
    CSS_PATH = "help.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark", "dismiss", "Close", key_display="esc"),
        Binding("q", "app.quit", "Quit", show=False),
    ]

    def compose(self) -> ComposeResult:
        keys = Static("\n".join(f"{key:<10}{does}" for key, does in KEYS.items()), markup=False)
        keys.border_title = "keys"
        yield keys
