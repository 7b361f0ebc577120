"""Titles, sentences and tables, laid out anew for whatever width there is."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.geometry import Size
from textual.reactive import reactive
from textual.widget import Widget

from tui.grid import Part, page


class TextPage(Widget):
    DEFAULT_CSS = "TextPage { height: auto; }"
    parts: reactive[Sequence[Part]] = reactive[Sequence[Part]]((), layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        # A narrower table has more lines: the height is that of the width which is being tried.
        return page(self.parts, width=width).plain.count("\n") + 1 if self.parts else 0

    def render(self) -> Text:
        return page(self.parts, width=self.size.width)
