"""What is shown of the chosen evaluations, a tab each. Draws only what it is given anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import DataTable, TabbedContent, TabPane

from karl.control.evaluations import Curve, Sheet, Tradeoff
from tui.evaluation_text import (
    behaviour_parts,
    curve_parts,
    note_parts,
    pair_parts,
    published_parts,
    score_parts,
    tradeoff_parts,
)
from tui.grid import Part
from tui.widgets.failure_list import FailureList
from tui.widgets.plots import Mark, Series, SystemPlot
from tui.widgets.system_table import SystemTable
from tui.widgets.text_page import TextPage

TABS = {
    "scores": "Scores",
    "pairs": "Pairs",
    "published": "Table 4",
    "pareto": "Pareto",
    "curves": "max@k",
    "behaviour": "Behaviour",
    "failures": "Failures",
    "notes": "Notes",
}
PAGES: dict[str, Callable[[Sheet], Iterable[Part]]] = {
    "scores": score_parts,
    "pairs": pair_parts,
    "published": published_parts,
    "pareto": tradeoff_parts,
    "curves": curve_parts,
    "behaviour": behaviour_parts,
    "notes": note_parts,
}
PLOTS = 2  # side by side, where there is room


class EvaluationParts(Vertical):
    def compose(self) -> ComposeResult:
        with TabbedContent():
            for name, title in TABS.items():
                with TabPane(title, id=name):
                    yield from _content(name)

    @property
    def active(self) -> str:
        return self.query_one(TabbedContent).active

    def open(self, name: str) -> None:
        self.query_one(TabbedContent).active = name

    def show(self, sheet: Sheet, *, pair: Sequence[str]) -> None:
        for name, parts in PAGES.items():
            self.query_one(f"#{name}-page", TextPage).parts = tuple(parts(sheet))
        table = self.query_one(SystemTable)
        table.display = bool(sheet.systems)
        table.show(sheet.systems, pair=pair)
        self.query_one(FailureList).show(sheet.failures, total=sheet.failed_questions)
        looks = {label: look for look, label in enumerate(sheet.labels)}
        self._show_tradeoffs(sheet.tradeoffs, looks)
        self._show_curves(sheet.curves, looks)

    def next_tab(self) -> None:
        names = list(TABS)
        self.open(names[(names.index(self.active) + 1) % len(names)])

    def focus_content(self) -> None:
        """Whatever of the open tab takes keys."""
        pane = self.query_one(TabbedContent).get_pane(self.active)
        takers = [widget for widget in pane.query("*") if widget.focusable and widget.display]
        # A table before what scrolls around it.
        takers.sort(key=lambda widget: not isinstance(widget, DataTable))
        if takers:
            takers[0].focus()

    def _show_tradeoffs(self, tradeoffs: Sequence[Tradeoff], looks: dict[str, int]) -> None:
        """Those on which at least two systems stand; the tables below have the others."""
        shown = [one for one in tradeoffs if len(one.spots) > 1][:PLOTS]
        for number in range(PLOTS):
            plot = self.query_one(f"#tradeoff-{number}", SystemPlot)
            plot.display = number < len(shown)
            if number < len(shown):
                one = shown[number]
                series = [Series(looks[spot.label], (Mark(spot.spent, *spot.score),)) for spot in one.spots]
                plot.show(series, x_name=one.unit, y_name=one.quality)

    def _show_curves(self, curves: Sequence[Curve], looks: dict[str, int]) -> None:
        ks = sorted({point.k for curve in curves for point in curve.points})
        plot = self.query_one("#curve-plot", SystemPlot)
        plot.display = len(ks) > 1
        if len(ks) > 1:
            place = {k: float(number) for number, k in enumerate(ks, start=1)}
            series = [
                Series(looks[curve.label], tuple(Mark(place[point.k], *point.score) for point in curve.points))
                for curve in curves
            ]
            plot.show(series, x_name="k", y_name="score, the best of k,", names=list(map(str, ks)))


def _content(name: str) -> Iterable[FailureList | VerticalScroll]:
    if name == "failures":
        yield FailureList(id="failure-list")
        return
    page = TextPage(id=f"{name}-page")
    if name == "scores":
        yield VerticalScroll(SystemTable(id="systems"), page)
    elif name == "pareto":
        plots = Horizontal(*(SystemPlot(id=f"tradeoff-{n}", lines=False) for n in range(PLOTS)), id="tradeoff-plots")
        yield VerticalScroll(plots, page)
    elif name == "curves":
        yield VerticalScroll(SystemPlot(id="curve-plot", lines=True), page)
    else:
        yield VerticalScroll(page)
