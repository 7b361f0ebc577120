"""What is wrong with the text, a line each; Enter goes to the place. Posts `PlaceChosen`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual import on
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from karl.control.workshop import Mark
from tui.messages import PlaceChosen


class FindingList(OptionList):
    """Errors first. A finding in another file can be read, but leads nowhere."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._marks: tuple[Mark, ...] = ()

    def show(self, marks: Sequence[Mark]) -> None:
        place = self.highlighted or 0
        self._marks = tuple(marks)
        self.clear_options()
        self.add_options(Option(_line(mark)) for mark in marks)
        if marks:
            self.highlighted = min(place, len(marks) - 1)
        else:
            self.add_option(Option(Text("nothing to mend"), disabled=True))

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        mark = self._marks[event.option_index]
        if not mark.elsewhere:
            self.post_message(PlaceChosen(mark.line, mark.column))


def _line(mark: Mark) -> Text:
    sign, level = ("✗", "error") if mark.error else ("!", "warning")
    place = f"{mark.elsewhere}:{mark.line}" if mark.elsewhere else f"line {mark.line}"
    return Text.assemble((f"{sign} {level}, {place}: ", "bold"), mark.message)
