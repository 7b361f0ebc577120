"""The line in which a question is typed, with what was asked before on up and down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input


class QuestionInput(Input):
    """Posts `Typing` when the user begins, `Asked` on Enter; the screen clears it once it has taken the question."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "earlier", "Earlier question", show=False),
        Binding("down", "later", "Later question", show=False),
    ]

    @dataclass
    class Asked(Message):
        question: str

    @dataclass
    class Typing(Message):
        """The model can be loaded meanwhile."""

    def __init__(self) -> None:
        super().__init__(placeholder="ask a question", compact=True, id="question")
        self._asked: list[str] = []
        self._place = 0  # in what was asked; its length: the line that is being typed
        self._draft = ""

    def on_mount(self) -> None:
        self.border_title = "question"

    def take(self) -> None:
        """It was asked: remember it, and be empty for the next."""
        question = self.value.strip()
        if question not in self._asked[-1:]:
            self._asked.append(question)
        self._place, self._draft = len(self._asked), ""
        self.value = ""

    def action_earlier(self) -> None:
        self._go(self._place - 1)

    def action_later(self) -> None:
        self._go(self._place + 1)

    def _go(self, place: int) -> None:
        if not 0 <= place <= len(self._asked):
            return
        if self._place == len(self._asked):
            self._draft = self.value
        self._place = place
        with self.prevent(Input.Changed):
            self.value = self._asked[place] if place < len(self._asked) else self._draft
        self.cursor_position = len(self.value)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if self.value.strip():
            self.post_message(self.Typing())

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        if question := self.value.strip():
            self.post_message(self.Asked(question))
