"""Which training of a run is drawn, and which of its curves."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar, NamedTuple

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, SelectionList, Static
from textual.widgets.option_list import Option
from textual.widgets.selection_list import Selection

from tui.reading.charts import charts_of
from tui.reading.training import TrainingView


class Choice(NamedTuple):
    """titles: of the charts."""

    series: str
    titles: frozenset[str]


class ChartsScreen(ModalScreen[Choice]):
    """Enter on a training takes it; Esc leaves it, and takes the curves that are marked."""

    CSS_PATH = "charts.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,v", "done", "Draw these", key_display="esc")]

    def __init__(self, training: TrainingView, titles: Collection[str]) -> None:
        super().__init__()
        self._training, self._titles = training, titles

    def compose(self) -> ComposeResult:
        with Vertical() as frame:
            frame.border_title = "what is drawn"
            with Horizontal():
                yield OptionList(*(Option(Text(name), id=name) for name in self._training.names))
                yield SelectionList[str](
                    *(
                        Selection(Text(chart.title), chart.title, chart.title in self._titles)
                        for chart in charts_of(self._training.metrics)
                    )
                )
            yield Static("enter takes a training, space marks curves, tab goes between, esc draws them")

    def on_mount(self) -> None:
        trainings = self.query_one(OptionList)
        trainings.border_title = "training"
        trainings.highlighted = self._training.names.index(self._training.series)
        marks = self.query_one(SelectionList)
        marks.border_title = "curves"
        marks.focus()

    @on(OptionList.OptionSelected, "ChartsScreen Horizontal > OptionList")
    def _taken(self, event: OptionList.OptionSelected) -> None:
        # A SelectionList is an OptionList, too: marking a curve takes no training.
        if not isinstance(event.option_list, SelectionList):
            self._end(event.option.id or self._training.series)

    def action_done(self) -> None:
        self._end(self._training.series)

    def _end(self, series: str) -> None:
        marks = self.query_one(SelectionList)
        offered = {chart.title for chart in charts_of(self._training.metrics)}
        # What this training does not have stays as it was, for one that has it.
        kept = frozenset(self._titles) - offered
        self.dismiss(Choice(series, kept | frozenset(marks.selected)))
