"""A unified diff; the signs at the beginning of the lines say all, colours only help."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import ScrollableContainer
from textual.widgets import Static

COLOURS = {"+": "success", "-": "error", "@": "primary"}


class DifferenceView(ScrollableContainer):
    can_focus = True

    def compose(self) -> ComposeResult:
        yield Static(classes="lines", markup=False)

    def show(self, difference: str, *, otherwise: str) -> None:
        """otherwise: what stands there when there is no difference."""
        text = Text(no_wrap=True)
        for line in difference.splitlines():
            colour = self.app.theme_variables.get(COLOURS.get(line[:1], ""), "")
            text.append(f"{line}\n", colour[:7] if colour.startswith("#") else "")
        self.query_one(".lines", Static).update(text if difference else Text(otherwise))
