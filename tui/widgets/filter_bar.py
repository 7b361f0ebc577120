"""The filter of a list: words to type, what the last one may become, and what is wrong with them.

Posts `FilterGiven` on Enter; Tab or Right takes what is suggested.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input, Static

from tui.excerpts import one_line
from tui.filter_words import COLUMNS, Known, completions

HINT = "score>=0.6 arm:oapl-1 status:failed kind:timeout words of the question"


@dataclass
class FilterGiven(Message):
    words: str


class _Words(Suggester):
    """The first of the completions, in the line itself."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self.known = Known()

    async def get_suggestion(self, value: str) -> str | None:
        last = value.rpartition(" ")[2]
        found = [one for one in completions(value, known=self.known) if one != last]
        return value[: len(value) - len(last)] + found[0] if found else None


class FilterInput(Input):
    """Tab completes; where nothing is suggested it goes on to the next part of the screen, as everywhere."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Apply"),
        Binding("tab", "complete", "Complete"),
        Binding("escape", "leave", "Back", key_display="esc"),
    ]

    def action_complete(self) -> None:
        if self._suggestion:
            self.action_cursor_right()
        else:
            self.screen.focus_next()

    def action_leave(self) -> None:
        self.screen.focus_next()


class FilterBar(Vertical):
    def compose(self) -> ComposeResult:
        self._words = _Words()
        yield FilterInput(placeholder=HINT, suggester=self._words, select_on_focus=False, id="filter-words")
        yield Static(id="filter-help", markup=False)

    @property
    def words(self) -> str:
        return self.query_one(FilterInput).value

    def on_mount(self) -> None:
        self.border_title = "filter"

    def begin(self) -> None:
        """The user wants to type."""
        self.query_one(FilterInput).focus()

    def show(self, words: str, *, known: Known) -> None:
        """What the list was read by."""
        self._words.known = known
        if not self.query_one(FilterInput).has_focus:
            self.query_one(FilterInput).value = words
            self.tell("")

    def tell(self, text: str, *, failed: bool = False) -> None:
        """Under the words; an error until something else is typed."""
        line = self.query_one("#filter-help", Static)
        line.set_class(failed, "failed")
        line.display = bool(text)
        line.update(text)

    @on(Input.Changed)
    def _suggest(self, event: Input.Changed) -> None:
        event.stop()
        if not self.query_one(FilterInput).has_focus:
            return
        found = completions(event.value, known=self._words.known)
        names = ", ".join(f"{name}:" for name in COLUMNS)
        self.tell(one_line(" ".join(found) if found else f"columns: {names}", max(20, self.size.width - 2)))

    @on(Input.Submitted)
    def _give(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(FilterGiven(event.value))
