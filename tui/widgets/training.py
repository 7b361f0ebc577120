"""A training as curves: loss and, where there are any, the log-ratios of winners and losers."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Label, Sparkline, Static

from tui.reading.run import CURVES, TrainingView
from tui.text import number


class Curve(Horizontal):
    """Name, sparkline over the steps, last value with the lowest and the highest."""

    def __init__(self, label: str) -> None:
        super().__init__(id=f"curve-{label}")
        self._label = label

    def compose(self) -> ComposeResult:
        yield Label(self._label, classes="name", markup=False)
        # The mean of the steps under a cell: a single outlier must not look like the whole.
        yield Sparkline(summary_function=fmean)
        yield Label(classes="value", markup=False)

    def show(self, values: Sequence[float] | None) -> None:
        self.display = bool(values)
        if values:
            self.query_one(Sparkline).data = values
            self.query_one(".value", Label).update(
                f"{number(values[-1])} ({number(min(values))}..{number(max(values))})"
            )


class TrainingPanel(Vertical):
    """The series that `TrainingView` names; a word in its place where nothing was trained yet."""

    def compose(self) -> ComposeResult:
        yield Static("nothing was trained yet", id="untrained")
        for label in CURVES.values():
            yield Curve(label)

    def on_mount(self) -> None:
        self.show(None)

    def show(self, training: TrainingView | None) -> None:
        self.query_one("#untrained").display = training is None
        for label in CURVES.values():
            self.query_one(f"#curve-{label}", Curve).show(training.curves.get(label) if training else None)
        self.border_title = _title(training)


def _title(training: TrainingView | None) -> str:
    if training is None:
        return "training"
    place = training.names.index(training.series) + 1
    others = f" ({place} of {len(training.names)})" if len(training.names) > 1 else ""
    return f"training {training.series}{others}, step {training.last_step}: last (lowest..highest)"
