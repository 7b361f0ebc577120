"""The keys that work here: those of the screen it was called from, made from its bindings, and the rooms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

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

    def __init__(self, asker: Screen[Any]) -> None:
        super().__init__()
        self._asker = asker

    def compose(self) -> ComposeResult:
        with VerticalScroll() as keys:
            keys.border_title = "keys"
            yield Static(_table(_own(self._asker)))
            yield Static(_table((room.key, f"{room.title}: {room.does}") for room in ROOMS))
            yield Static(_table(EVERYWHERE.items()))


def _own(asker: Screen[Any]) -> Iterator[tuple[str, str]]:
    """What our own screen and its focused widget declare; what every widget can do by itself is left out."""
    for owner in [asker.focused, asker] if asker.focused else [asker]:
        declared = {key.strip() for kind in type(owner).__mro__ for key in _declared(kind)}
        for key, binding in owner._bindings:
            if key in declared and binding.description:
                yield binding.key_display or key, binding.tooltip or binding.description


def _declared(kind: type) -> Iterator[str]:
    for binding in vars(kind).get("BINDINGS", ()) if kind.__module__.startswith("tui.") else ():
        yield from (binding.key if isinstance(binding, Binding) else binding[0]).split(",")


def _table(keys: Iterable[tuple[str, str]]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for key, does in keys:
        table.add_row(key, does)
    return table
