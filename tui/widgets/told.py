"""A text that is laid out anew only where it has changed: most refreshes say what was said before."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Static


class Told(Static):
    """Plain text or rich's; never markup."""

    def __init__(self, text: str | Text = "", *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(text, id=id, classes=classes, markup=False)
        self._said: str | Text = text

    def say(self, text: str | Text) -> None:
        if text != self._said:
            self._said = text
            self.update(text)
