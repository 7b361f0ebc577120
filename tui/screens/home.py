"""The first room: runs, corpora, checkpoints, health. Writes nothing; runs are held, stopped and resumed from here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widgets import Static
from textual.worker import Worker, WorkerState, get_current_worker

from karl.control.checkup import SECONDS, Checkup
from store.types import RunState
from tui.desk import Wish
from tui.messages import CorpusOpened, RunOpened, RunSelected
from tui.reading.home import HomeReader, HomeView, RunLine
from tui.screens.run_control import Controlled, RunControlScreen
from tui.widgets.checkpoint_table import CheckpointTable
from tui.widgets.corpus_table import CorpusTable
from tui.widgets.health import HealthPanel
from tui.widgets.run_table import RunTable

EMPTY = """\
No run yet. Press 2 and start the demo, or type it in another terminal:

    karl demo

or, with your own documents:

    karl ingest FOLDER --name NAME
    karl run --corpus NAME"""


class HomeScreen(RunControlScreen):
    ROOM = "home"
    CSS_PATH = "home.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "again", "Run again", tooltip="start a run like this one, with changes"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._reader: HomeReader | None = None
        self._checkup: Checkup | None = None
        self._runs: dict[int, RunLine] = {}

    def compose_room(self) -> ComposeResult:
        with Container(id="parts"):
            yield Static(EMPTY, id="empty", markup=False)
            yield RunTable(id="runs")
            yield CorpusTable(id="corpora")
            yield CheckpointTable(id="checkpoints")
            yield HealthPanel(id="health")

    def on_mount(self) -> None:
        self.query_one("#empty").display = False
        self._checkup = Checkup(self.desk.settings)
        self.set_interval(SECONDS, self._check_again)

    def commands(self) -> Iterator[SystemCommand]:
        yield from super().commands()
        yield SystemCommand("Run again with changes", "a new run with this one's settings", self.action_again)
        yield SystemCommand("Check the health again", "what `karl doctor` checks", self.action_read_afresh)

    # -- reading -----------------------------------------------------------------------------------------------------

    def reading(self, *, afresh: bool) -> Callable[[], Any]:
        self._reader = self._reader or HomeReader(self.desk.store, self.desk.settings)
        return partial(self._reader.read, afresh=afresh)

    def show(self, view: HomeView) -> str:
        if not self.readings:  # not before there is something to see
            self.check_health()
        self._runs = {line.run.run_id: line for line in view.runs}
        self.query_one("#empty").display = not view.runs
        table = self.query_one(RunTable)
        first, table.display = bool(view.runs) and not table.display, bool(view.runs)
        if self.desk.run_id not in self._runs:
            self.desk.run_id = view.runs[0].run.run_id if view.runs else None
        table.show(view.runs, selected=self.desk.run_id)
        if first:
            table.focus()
        self.query_one(CorpusTable).show(view.corpora)
        self.query_one(CheckpointTable).show(view.checkpoints)
        self.follow_standing()
        running = sum(line.standing == str(RunState.RUNNING) for line in view.runs)
        runs = "1 run" if len(view.runs) == 1 else f"{len(view.runs)} runs"
        return f"{runs}, {running} running  read {datetime.now().astimezone():%H:%M:%S}  {self.desk.source}"

    def action_read_afresh(self) -> None:
        super().action_read_afresh()
        self.check_health(afresh=True)

    def _check_again(self) -> None:
        if self.is_current:
            self.check_health()

    def check_health(self, *, afresh: bool = False) -> None:
        """In a thread of its own: an endpoint that is down keeps no table waiting."""
        assert self._checkup is not None  # made when the screen is mounted
        checkup = self._checkup
        if any(worker.name == "health" and not worker.is_finished for worker in self.workers):
            return
        self.run_worker(
            lambda: checkup.findings(cancelled=lambda: get_current_worker().is_cancelled, afresh=afresh),
            name="health",
            group="health",
            thread=True,
            exit_on_error=False,
        )

    @on(Worker.StateChanged)
    def _health_ended(self, event: Worker.StateChanged) -> None:
        if event.worker.name != "health":
            return
        if event.state is WorkerState.SUCCESS:
            self.query_one(HealthPanel).show(event.worker.result or ())
        elif event.state is WorkerState.ERROR:
            self.query_one(HealthPanel).fail(str(event.worker.error))

    # -- rooms -------------------------------------------------------------------------------------------------------

    @on(RunSelected)
    def _select(self, event: RunSelected) -> None:
        self.desk.run_id = event.run_id
        self.follow_standing()

    @on(RunOpened)
    def _open(self, event: RunOpened) -> None:
        self.desk.run_id = event.run_id
        self.app.switch_mode("run")

    @on(CorpusOpened)
    def _launch(self, event: CorpusOpened) -> None:
        self.desk.wish = Wish(corpus=event.name)
        self.app.switch_mode("launch")

    def action_again(self) -> None:
        line = self._runs.get(self.desk.run_id or 0)
        if line is None:
            self.notify("there is no run yet")
        else:
            self.desk.wish = Wish(like=line.run.run_id)
            self.app.switch_mode("launch")

    def controlled(self) -> Controlled | None:
        line = self._runs.get(self.desk.run_id or 0)
        return Controlled(line.run.name, line.standing, line.run.planned) if line is not None else None
