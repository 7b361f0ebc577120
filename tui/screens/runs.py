"""Runs on the left, the selected one on the right. Reads the store once a second in a thread; writes nothing."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Static
from textual.worker import Worker, WorkerState

from store.queries import RunOverview
from store.types import RunState
from tui.messages import RunSelected
from tui.screens.help import HelpScreen
from tui.snapshot import RunDetail, RunReader, Snapshot
from tui.text import counted, local_time
from tui.widgets.evaluation import EvaluationPanel
from tui.widgets.funnel import FunnelPanel
from tui.widgets.run_table import RunTable
from tui.widgets.training import TrainingPanel

SECONDS = 1.0
EMPTY = """\
No run yet. Type this in another terminal, and watch it here:

    karl demo

or, with your own documents:

    karl ingest FOLDER --name NAME
    karl run --corpus NAME"""


class RunsScreen(Screen[None]):
    CSS_PATH = "runs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "app.quit", "Quit"),
        Binding("tab", "app.focus_next", "List/details"),
        Binding("t", "next_training", "Next training"),
        Binding("r", "read_afresh", "Refresh"),
        Binding("question_mark", "help", "Keys", key_display="?"),
    ]

    def __init__(self, reader: RunReader) -> None:
        super().__init__()
        self._reader = reader
        self._selected: int | None = None
        self._series: str | None = None
        self._training_names: list[str] = []
        self._reading = False
        self._asked_meanwhile = False

    def compose(self) -> ComposeResult:
        yield Static(id="status", markup=False)
        yield Static(EMPTY, id="empty", markup=False)
        with Container(id="body"):
            yield RunTable(id="runs")
            with VerticalScroll(id="detail"):
                yield Static(id="headline", markup=False)
                yield FunnelPanel(id="funnel")
                yield TrainingPanel(id="training")
                yield EvaluationPanel(id="evaluation")
                yield Static(id="failures", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        self.query_one("#empty").display = False
        self.query_one("#failures").border_title = "failed rollouts"
        self.query_one("#body").display = False
        self.query_one("#status", Static).update(f"karl  reading {self._reader.source}")
        self.read()
        self.set_interval(SECONDS, self.read)

    # -- reading -----------------------------------------------------------------------------------------------------

    def read(self, *, afresh: bool = False) -> None:
        """Start a reading, one at a time: a slow database must not pile up threads."""
        if self._reading:
            self._asked_meanwhile = self._asked_meanwhile or afresh
            return
        self._reading, self._asked_meanwhile = True, False
        selected, series = self._selected, self._series
        self.run_worker(
            lambda: self._reader.read(selected=selected, series=series, afresh=afresh),
            name="read",
            thread=True,
            exit_on_error=False,
        )

    @on(Worker.StateChanged)
    def _read_ended(self, event: Worker.StateChanged) -> None:
        if event.worker.name != "read" or event.state in (WorkerState.PENDING, WorkerState.RUNNING):
            return
        self._reading = False
        if isinstance(event.worker.result, Snapshot):
            self._show(event.worker.result)
        elif event.state is WorkerState.ERROR:
            self._say(f"cannot read, trying again: {event.worker.error}", failed=True)
        if self._asked_meanwhile:
            self.read(afresh=True)

    def _say(self, text: str, *, failed: bool = False) -> None:
        status = self.query_one("#status", Static)
        status.set_class(failed, "failed")
        status.update(f"karl  {text}" if failed else f"karl  {text}  {self._reader.source}")

    # -- showing -----------------------------------------------------------------------------------------------------

    def _show(self, snapshot: Snapshot) -> None:
        running = sum(run.state is RunState.RUNNING for run in snapshot.runs)
        now = datetime.now().astimezone()
        runs = "1 run" if len(snapshot.runs) == 1 else f"{len(snapshot.runs)} runs"
        self._say(f"{runs}, {running} running  read {now:%H:%M:%S}")
        self.query_one("#empty").display = not snapshot.runs
        self.query_one("#body").display = bool(snapshot.runs)
        if not any(run.run_id == self._selected for run in snapshot.runs):
            self._selected = snapshot.detail.run_id if snapshot.detail else None
        self.query_one(RunTable).show(snapshot.runs, selected=self._selected)
        # The user may have moved on while the thread was reading.
        if snapshot.detail and snapshot.detail.run_id == self._selected:
            run = next(run for run in snapshot.runs if run.run_id == self._selected)
            self._show_detail(run, snapshot.detail)

    def _show_detail(self, run: RunOverview, detail: RunDetail) -> None:
        self._training_names = detail.training.names if detail.training else []
        error = f"\n{run.error}" if run.error else ""
        headline = f"{run.name}: {run.state}, started {local_time(run.created_at)}{error}"
        self.query_one("#headline", Static).update(headline)
        self.query_one(FunnelPanel).iterations = detail.iterations
        self.query_one(TrainingPanel).show(detail.training)
        self.query_one(EvaluationPanel).show(detail.arms)
        self.query_one("#failures", Static).update(counted(detail.failures) or "none")

    # -- keys --------------------------------------------------------------------------------------------------------

    @on(RunSelected)
    def _select(self, event: RunSelected) -> None:
        if event.run_id != self._selected:
            self._selected, self._series = event.run_id, None
            self.query_one("#detail").scroll_home(animate=False)
            self.read(afresh=True)

    def action_next_training(self) -> None:
        if self._training_names:
            held = self._series if self._series in self._training_names else self._training_names[0]
            place = (self._training_names.index(held) + 1) % len(self._training_names)
            # The first is the newest: following it again, a training that begins later is shown at once.
            self._series = self._training_names[place] if place else None
            self.read(afresh=True)

    def action_read_afresh(self) -> None:
        self.read(afresh=True)

    def action_help(self) -> None:
        self.app.push_screen(HelpScreen())
