"""Passages in full: what a search found, or what an answer cites. Gives back the one whose document is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen

from tui.reading.passages import Passage
from tui.widgets.spoken import Line


class Heading(Line, can_focus=True):
    def __init__(self, passage: Passage) -> None:
        super().__init__(_heading(passage), classes="heading")
        self.passage = passage


class PassagesScreen(ModalScreen[Passage | None]):
    CSS_PATH = "passages.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter", "dismiss(None)", "Close", key_display="esc"),
        Binding("o", "open", "Open the document"),
        Binding("y", "copy", "Copy"),
    ]

    def __init__(self, passages: Sequence[Passage]) -> None:
        super().__init__()
        self._passages = passages

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            count = len(self._passages)
            box.border_title = "1 passage" if count == 1 else f"{count} passages, the best first"
            box.can_focus = False
            more = ", tab to the next" if count > 1 else ""
            box.border_subtitle = f"esc closes, o opens the document, y copies{more}"
            for passage in self._passages:
                yield Heading(passage)
                yield Line(passage.text, classes="text")

    def action_open(self) -> None:
        chosen = self.focused
        self.dismiss(chosen.passage if isinstance(chosen, Heading) else self._passages[0])

    def action_copy(self) -> None:
        self.app.copy_to_clipboard("\n\n".join(f"[{one.place}]\n{one.text}" for one in self._passages))
        self.notify("copied")


def _heading(passage: Passage) -> str:
    score = f"  score {passage.score:.3f}" if passage.score is not None else ""
    return f"[{passage.place}] {passage.title}{score}"
