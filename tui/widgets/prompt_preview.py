"""A prompt as the policy would read it, with what its variables stand for and how long it is."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from karl.control.workshop import Preview, Variable

WIDEST = 60  # characters of a value


class PromptPreview(VerticalScroll):
    can_focus = True

    def compose(self) -> ComposeResult:
        yield Static(classes="values", markup=False)
        yield Static(classes="rendered", markup=False)

    def show(self, preview: Preview, variables: Sequence[Variable]) -> None:
        self.query_one(".values", Static).update(_head(preview, variables))
        rendered = self.query_one(".rendered", Static)
        rendered.display = True
        rendered.update(Text(preview.text))

    def refuse(self, reason: str) -> None:
        """There is nothing to show."""
        self.query_one(".values", Static).update(Text(reason, style="bold"))
        self.query_one(".rendered").display = False


def _head(preview: Preview, variables: Sequence[Variable]) -> Text:
    tokens = f", {preview.tokens:,} tokens of {preview.counted_by}" if preview.tokens is not None else ""
    head = Text.assemble((f"{preview.characters:,} characters{tokens}", "bold"))
    for variable in variables:
        shown = variable.shown if len(variable.shown) <= WIDEST else f"{variable.shown[: WIDEST - 1]}…"
        head.append(f"\n{variable.name}: ", "bold").append(shown or "(empty)", "").append(
            f"  ({variable.source})", "dim"
        )
    return head
