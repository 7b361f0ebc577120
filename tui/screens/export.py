"""In which form a report is written."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from karl.control.evaluations import Form

FORMS: dict[str, str] = {
    "html": "HTML: one page without network, with every answer",
    "md": "Markdown: tables that anybody can diff",
}


class ExportScreen(ModalScreen[Form | None]):
    """Dismissed with the form, or with None."""

    CSS_PATH = "export.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "Close", key_display="esc")]

    def compose(self) -> ComposeResult:
        options = OptionList(*(Option(label, id=form) for form, label in FORMS.items()))
        options.border_title = "report to a file here"
        yield options

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss("html" if event.option_id == "html" else "md")
