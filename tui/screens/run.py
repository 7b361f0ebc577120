"""The room of one run: its funnel, training, evaluation, failures."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from tui.reading.run import RunDetail, RunReader, RunView
from tui.screens.base import RoomScreen
from tui.text import counted, local_time
from tui.widgets.evaluation import EvaluationPanel
from tui.widgets.funnel import FunnelPanel
from tui.widgets.training import TrainingPanel

EMPTY = "No run yet: `karl demo` makes one."


class RunScreen(RoomScreen):
    ROOM = "run"
    CSS_PATH = "run.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("t", "next_training", "Next training")]

    def __init__(self) -> None:
        super().__init__()
        self._reader: RunReader | None = None
        self._shown: int | None = None
        self._series: str | None = None
        self._training_names: list[str] = []

    def compose_room(self) -> ComposeResult:
        with VerticalScroll(id="detail"):
            yield Static(EMPTY, id="headline", markup=False)
            yield FunnelPanel(id="funnel")
            yield TrainingPanel(id="training")
            yield EvaluationPanel(id="evaluation")
            yield Static(id="failures", markup=False)

    def on_mount(self) -> None:
        self.query_one("#failures").border_title = "failed rollouts"

    def reading(self, *, afresh: bool) -> Callable[[], Any]:
        self._reader = self._reader or RunReader(self.desk.store)
        if self.desk.run_id != self._shown:
            self._series = None
        return partial(self._reader.read, selected=self.desk.run_id, series=self._series, afresh=afresh)

    def show(self, view: RunView) -> str:
        if view.run is None or view.detail is None:
            return f"no run  {self.desk.source}"
        run, detail = view.run, view.detail
        if run.run_id != self._shown:
            self.query_one("#detail").scroll_home(animate=False)
            self._shown = self.desk.run_id = run.run_id
        error = f"\n{run.error}" if run.error else ""
        self.query_one("#headline", Static).update(
            f"{run.name}: {run.state}, started {local_time(run.created_at)}{error}"
        )
        self._show_detail(detail)
        return f"{run.name}: {run.state}  read {datetime.now().astimezone():%H:%M:%S}  {self.desk.source}"

    def _show_detail(self, detail: RunDetail) -> None:
        self._training_names = detail.training.names if detail.training else []
        self.query_one(FunnelPanel).iterations = detail.iterations
        self.query_one(TrainingPanel).show(detail.training)
        self.query_one(EvaluationPanel).show(detail.arms)
        self.query_one("#failures", Static).update(counted(detail.failures) or "none")

    def action_next_training(self) -> None:
        if self._training_names:
            held = self._series if self._series in self._training_names else self._training_names[0]
            place = (self._training_names.index(held) + 1) % len(self._training_names)
            # The first is the newest: following it again, a training that begins later is shown at once.
            self._series = self._training_names[place] if place else None
            self.read(afresh=True)
