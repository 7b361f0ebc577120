"""A list to pick from, with a line for what is not in it."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Select

from karl.control.offers import Offer

OTHER = "\0other"  # no text that anyone could type
ANOTHER = Offer("another ...", OTHER)


class Choice(Vertical):
    """`other`: a text that is not offered may be typed."""

    def __init__(self, offered: Sequence[Offer], *, value: str = "", other: bool = False) -> None:
        super().__init__()
        self._other = other
        self._offered = [*offered, *([ANOTHER] if other else [])]
        self._select = Select(_options(self._offered), value=value, allow_blank=False, compact=True)
        self._input = Input(compact=True, classes="other")

    def compose(self) -> ComposeResult:
        yield self._select
        yield self._input

    def on_mount(self) -> None:
        self._input.display = False

    @property
    def text(self) -> str:
        picked = str(self._select.value)
        return self._input.value.strip() if picked == OTHER else picked

    def fill(self, text: str) -> None:
        """A text that is not offered is typed for the user; where none may be, the first one stays."""
        if any(offer.text == text for offer in self._offered):
            self._select.value = text
        elif self._other:
            self._select.value = OTHER
            self._input.value = text
        self._input.display = self._select.value == OTHER

    def offer(self, offered: Sequence[Offer]) -> None:
        """Other things to pick from; what is picked or typed stays."""
        wanted = [*offered, *([ANOTHER] if self._other else [])]
        if wanted == self._offered:
            return
        text, self._offered = self.text, wanted
        with self.prevent(Select.Changed, Input.Changed):
            self._select.set_options(_options(wanted))
            self.fill(text)

    @on(Select.Changed)
    def _picked(self, event: Select.Changed) -> None:
        self._input.display = event.value == OTHER


def _options(offered: Sequence[Offer]) -> list[tuple[Content, str]]:
    return [(Content(offer.label), offer.text) for offer in offered]
