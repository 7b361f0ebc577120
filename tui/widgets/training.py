"""A training as live plots: the charts that the user has chosen, those of which something is known."""

from __future__ import annotations

from collections.abc import Collection

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Grid, Vertical
from textual.widgets import Static

from tui.reading.charts import Chart, charts_of
from tui.reading.training import Points, TrainingView
from tui.text import number
from tui.widgets.plot import COLOURS, SIGNS, Line, Plot

EMPTY = "nothing was trained yet"


class ChartPanel(Vertical):
    """Title with the last values, and the plot; each curve's sign and colour stand before its name."""

    def __init__(self, chart: Chart) -> None:
        super().__init__()
        self._chart = chart
        self._curves: dict[str, Points] = {}
        self._caption, self._plot = Static(), Plot()

    def compose(self) -> ComposeResult:
        yield self._caption
        yield self._plot

    def show(self, curves: dict[str, Points]) -> None:
        self._plot.show([Line(self._chart.label(name), points) for name, points in curves.items()])
        self._curves = curves
        self._write_caption()

    def on_resize(self) -> None:
        self._write_caption()

    def _write_caption(self) -> None:
        """Where there is no room for the values, the names of the curves matter more."""
        whole = self._heading(values=True)
        self._caption.update(whole if whole.cell_len <= self.size.width else self._heading(values=False))

    def _heading(self, *, values: bool) -> Text:
        text = Text(self._chart.title, style="bold", no_wrap=True, overflow="ellipsis")
        for place, (name, points) in enumerate(self._curves.items()):
            label = self._chart.label(name)
            if label:
                text.append(f" {SIGNS[place % len(SIGNS)]} ", self._colour(place))
                text.append(label, "none")
            if values or not label:
                text.append(f" {_value(points[-1][1])}", "none")
        return text

    def _colour(self, place: int) -> str:
        return self.app.theme_variables[COLOURS[place % len(COLOURS)]]


class TrainingPanel(Vertical):
    def compose(self) -> ComposeResult:
        yield Static(EMPTY, id="untrained")
        yield Grid(id="charts")

    def on_mount(self) -> None:
        self._panels: dict[str, ChartPanel] = {}
        self.show(None, titles=())

    def show(self, training: TrainingView | None, *, titles: Collection[str]) -> None:
        """`titles`: of the charts that shall be drawn."""
        self.border_title = _title(training)
        self.query_one("#untrained").display = training is None
        wanted = [] if training is None else [c for c in charts_of(training.curves) if c.title in titles]
        self._lay(wanted)
        for chart in wanted:
            assert training is not None
            curves = {name: training.curves[name] for name in chart.metrics if training.curves.get(name)}
            self._panels[chart.title].show(curves)

    def _lay(self, charts: list[Chart]) -> None:
        grid, titles = self.query_one("#charts"), [chart.title for chart in charts]
        for chart in charts:
            if chart.title not in self._panels:
                self._panels[chart.title] = ChartPanel(chart)
                grid.mount(self._panels[chart.title])
        for title, panel in self._panels.items():
            panel.display = title in titles
        grid.display = bool(charts)


def _value(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else number(value)


def _title(training: TrainingView | None) -> str:
    if training is None:
        return "training"
    place = training.names.index(training.series) + 1
    others = f" ({place} of {len(training.names)})" if len(training.names) > 1 else ""
    return Text(f"training {training.series}{others}, step {training.last_step:,}").markup
