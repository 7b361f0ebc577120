"""The keys that work here: those of the screen it was called from, made from its bindings, and the rooms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

from rich.table import Table
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from tui.rooms import ROOMS

EVERYWHERE = {
    "ctrl+p": "commands, themes",
    "tab, shift+tab": "to the next part of the screen, and back",
    "?": "these keys; ? or Esc closes them",
    "q": "quit; runs go on",
}


class HelpScreen(ModalScreen[None]):
    CSS_PATH = "help.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark", "dismiss", "Close", key_display="esc"),
        Binding("q", "app.quit", "Quit", show=False),
    ]

    def __init__(self, asker: Screen[None]) -> None:
        super().__init__()
        self._asker = asker

    def compose(self) -> ComposeResult:
        with VerticalScroll() as keys:
            keys.border_title = "keys"
            yield Static(_table(_own(self._asker)))
            yield Static(_table((room.key, f"{room.title}: {room.does}") for room in ROOMS))
            yield Static(_table(EVERYWHERE.items()))


def _own(asker: Screen[None]) -> Iterator[tuple[str, str]]:
    """What the screen and its focused widget bind, those without a description left out."""
    owners = [asker.focused, asker] if asker.focused else [asker]
    for owner in owners:
        for key, binding in owner._bindings:
            if binding.description and binding.action != "help":
                yield binding.key_display or key, binding.tooltip or binding.description


def _table(keys: Iterable[tuple[str, str]]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for key, does in keys:
        table.add_row(key, does)
    return table
