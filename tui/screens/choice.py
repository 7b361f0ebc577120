"""A question with a few answers, each a key and a button. Gives back the key; "" for staying."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Static


class ChoiceScreen(ModalScreen[str]):
    CSS_PATH = "choice.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss('')", "Stay", key_display="esc")]

    def __init__(self, question: str, choices: Mapping[str, str], *, stay: str) -> None:
        super().__init__()
        self._question, self._choices, self._stay = question, dict(choices), stay

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.can_focus = False
            yield Static(self._question, markup=False)
            with Horizontal():
                for key, does in self._choices.items():
                    yield Button(f"{key}  {does}", id=f"choice-{key}", compact=True)
                yield Button(f"esc  {self._stay}", id="choice-", compact=True)

    def on_mount(self) -> None:
        self.query_one("#choice-", Button).focus()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.dismiss((event.button.id or "").removeprefix("choice-"))

    def on_key(self, event: events.Key) -> None:
        if event.key in self._choices:
            event.stop()
            self.dismiss(event.key)
