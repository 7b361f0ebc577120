"""Lines of a conversation: those that open something take the focus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from karl.control.safe_text import clean
from tui.excerpts import one_line
from tui.reading.passages import Passage

CITED = 160  # cells of a passage that is cited


class Line(Static):
    """What a model or a document says is data: no markup, no control characters."""

    def __init__(self, text: str, *, classes: str = "") -> None:
        super().__init__(Content(clean(text)), classes=classes, markup=False)

    def say(self, text: str) -> None:
        self.update(Content(clean(text)))


class PassageLine(Line, can_focus=True):
    """Opens its passages."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "open", "Passage")]

    @dataclass
    class Opened(Message):
        passages: Sequence[Passage]

    def __init__(self, text: str, passages: Sequence[Passage], *, classes: str = "") -> None:
        super().__init__(text, classes=f"opens {classes}")
        self.passages = tuple(passages)

    def action_open(self) -> None:
        self.post_message(self.Opened(self.passages))

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.action_open()


class AnswerLine(Line, can_focus=True):
    """An answer. Opens its trace, once that is known: of a blind battle, after the vote."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Trace", show=False),
        Binding("y", "copy", "Copy", show=False),
    ]

    @dataclass
    class Opened(Message):
        trace_id: str

    def __init__(self, text: str, *, trace_id: str, classes: str = "") -> None:
        super().__init__(text, classes=f"opens {classes}")
        self.text, self.trace_id = text, trace_id

    def action_open(self) -> None:
        self.post_message(self.Opened(self.trace_id))

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self.text)
        self.notify("answer copied")


def citation_line(passage: Passage) -> PassageLine:
    """`[people/mira.md#0, page 3] the passage's beginning`."""
    return PassageLine(f"[{passage.place}] {one_line(passage.text, CITED)}", [passage], classes="citation")
