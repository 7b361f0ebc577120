"""Which of two answers is better: a key, then a note where one is wanted. Posts `Voted`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input, Static

KEYS = {"A": "1", "B": "2", "tie": "3", "none": "0"}
MEANS = {"A": "A", "B": "B", "tie": "tie", "none": "all bad"}


class VoteKeys(Static, can_focus=True):
    """While it has the focus, digits are votes; elsewhere they enter rooms."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1,a", "choose('A')", "A is better", key_display="1"),
        Binding("2,b", "choose('B')", "B is better", key_display="2"),
        Binding("3,equals_sign", "choose('tie')", "Tie", key_display="3"),
        Binding("0,n", "choose('none')", "All bad", key_display="0"),
    ]

    @dataclass
    class Chosen(Message):
        choice: str

    def action_choose(self, choice: str) -> None:
        self.post_message(self.Chosen(choice))


class VoteBar(Vertical):
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "later", "Later", show=False)]

    @dataclass
    class Voted(Message):
        battle: str
        choice: str
        note: str

    @dataclass
    class Put(Message):
        """Put off: it can be voted on later."""

    def __init__(self) -> None:
        super().__init__(id="vote")
        self._battle = ""
        self._choices: Sequence[str] = ()
        self._choice = ""

    def compose(self) -> ComposeResult:
        yield VoteKeys()
        yield Input(placeholder="why? (Enter: no note)", compact=True, id="note")

    def on_mount(self) -> None:
        self.border_title = "which is better?"
        self.display = False

    def ask(self, battle: str, choices: Sequence[str]) -> None:
        """Show what can be voted, and take the focus."""
        self._battle, self._choices = battle, choices
        self.display = True
        self._show_keys()

    def _show_keys(self) -> None:
        self._choice = ""
        keys = "   ".join(f"{KEYS[choice]} {MEANS[choice]}" for choice in self._choices)
        self.query_one(VoteKeys).update(f"{keys}   esc later")
        note = self.query_one("#note", Input)
        note.display, note.value = False, ""
        self.query_one(VoteKeys).focus()

    @on(VoteKeys.Chosen)
    def _chosen(self, event: VoteKeys.Chosen) -> None:
        event.stop()
        if event.choice not in self._choices:
            self.notify(f"{event.choice} can't be voted: there is no answer", severity="warning")
            return
        self._choice = event.choice
        self.query_one(VoteKeys).update(f"{MEANS[event.choice]}; a note?")
        note = self.query_one("#note", Input)
        note.display = True
        note.focus()

    @on(Input.Submitted)
    def _noted(self, event: Input.Submitted) -> None:
        event.stop()
        self.display = False
        self.post_message(self.Voted(self._battle, self._choice, event.value.strip()))

    def action_later(self) -> None:
        if self._choice:
            self._show_keys()
            return
        self.display = False
        self.post_message(self.Put())
