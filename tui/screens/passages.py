"""Passages in full: what a search found, or what an answer cites."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen

from tui.reading.passages import Passage
from tui.widgets.spoken import Line


class PassagesScreen(ModalScreen[None]):
    CSS_PATH = "passages.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter", "dismiss", "Close", key_display="esc"),
        Binding("y", "copy", "Copy"),
    ]

    def __init__(self, passages: Sequence[Passage]) -> None:
        super().__init__()
        self._passages = passages

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            count = len(self._passages)
            box.border_title = "1 passage" if count == 1 else f"{count} passages, the best first"
            box.border_subtitle = "esc closes, y copies"
            for passage in self._passages:
                yield Line(_heading(passage), classes="heading")
                yield Line(passage.text, classes="text")

    def action_copy(self) -> None:
        self.app.copy_to_clipboard("\n\n".join(f"[{one.place}]\n{one.text}" for one in self._passages))
        self.notify("copied")


def _heading(passage: Passage) -> str:
    score = f"  score {passage.score:.3f}" if passage.score is not None else ""
    return f"[{passage.place}] {passage.title}{score}"
