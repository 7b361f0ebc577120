"""One setting of a form: its label, where it is filled in, and what is wrong with it. Posts `FieldChanged`."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Label, Select

from karl.control.form import FormField
from karl.control.offers import Offer
from tui.messages import FieldChanged
from tui.widgets.choice import Choice
from tui.widgets.told import Told


class FieldRow(Vertical):
    """`offered`: what may be picked, besides any other text; a field with choices takes nothing else."""

    def __init__(self, field: FormField, *, offered: Sequence[Offer] | None = None, empty: str = "") -> None:
        """empty: what stands for no text; offered None: a text that nothing is offered for."""
        super().__init__(id=f"field-{field.name.replace('_', '-')}")
        self.field = field
        if field.choices:
            self._editor: Input | Choice = Choice([Offer(text, text) for text in field.choices], value=field.default)
        elif offered is not None:
            self._editor = Choice([Offer(empty, field.default), *offered], value=field.default, other=True)
        else:
            self._editor = Input(placeholder=field.default or empty, compact=True)

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Label(self.field.label, markup=False)
            yield self._editor
        yield Told(classes="problem")

    def on_mount(self) -> None:
        self.complain("")

    @property
    def text(self) -> str:
        """ "" for the default."""
        text = self._editor.text if isinstance(self._editor, Choice) else self._editor.value.strip()
        return "" if text == self.field.default else text

    def take(self) -> None:
        """Put the focus there."""
        self.query("Select, Input").first().focus()

    def fill(self, text: str) -> None:
        """ "" for the default."""
        if isinstance(self._editor, Choice):
            self._editor.fill(text or self.field.default)
        else:
            self._editor.value = text

    def offer(self, offered: Sequence[Offer], *, empty: str = "") -> None:
        """Other things to pick from; what is picked stays."""
        if isinstance(self._editor, Choice):
            self._editor.offer([Offer(empty, self.field.default), *offered])

    def complain(self, problem: str) -> None:
        """What is wrong with the text; "" for nothing."""
        self.set_class(bool(problem), "wrong")
        self.query_one(".problem", Told).say(f"✗ {problem}" if problem else "")

    @on(Input.Changed)
    @on(Select.Changed)
    def _changed(self, event: Input.Changed | Select.Changed) -> None:
        event.stop()
        self.post_message(FieldChanged(name=self.field.name))
