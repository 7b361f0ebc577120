"""The values that a prompt's preview is filled with, to be typed over. Gives back those that were changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from karl.control.workshop import Variable


class ValuesScreen(ModalScreen[dict[str, str]]):
    """Texts as they are, all else as JSON."""

    CSS_PATH = "values.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Leave as it was", key_display="esc"),
        Binding("ctrl+s", "take", "Take these"),
    ]

    def __init__(self, variables: Sequence[Variable]) -> None:
        super().__init__()
        self._texts = {variable.name: as_text(variable) for variable in variables}
        self._variables = variables

    def compose(self) -> ComposeResult:
        with VerticalScroll() as form:
            form.can_focus = False
            form.border_title = "values of the preview"
            form.border_subtitle = "Enter takes them, Esc leaves them as they were"
            for variable in self._variables:
                about = f": {variable.about}" if variable.about else ""
                yield Static(f"{variable.name} ({variable.type}, {variable.source}){about}", markup=False)
                yield Input(self._texts[variable.name], id=f"value-{variable.name}", compact=True)

    @on(Input.Submitted)
    def action_take(self) -> None:
        typed = {name: self.query_one(f"#value-{name}", Input).value for name in self._texts}
        self.dismiss({name: text for name, text in typed.items() if text != self._texts[name]})


def as_text(variable: Variable) -> str:
    """In one line, as it would be typed; a text's own lines become spaces."""
    if variable.type == "string":
        return " ".join(str(variable.value).split())
    return json.dumps(variable.value, default=_plain, ensure_ascii=False)


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)
