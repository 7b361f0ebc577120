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

from karl.control import launch, processes
from karl.control.checkup import SECONDS, Checkup
from store.types import RunState
from tui.desk import Wish
from tui.messages import CorpusOpened, RunOpened, RunSelected
from tui.reading.home import HomeReader, HomeView, RunLine
from tui.screens.base import RoomScreen
from tui.screens.stop import StopScreen
from tui.screens.words import WordsScreen
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


class HomeScreen(RoomScreen):
    ROOM = "home"
    CSS_PATH = "home.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "pause", "Pause", tooltip="hold the run, or let it go on"),
        Binding("x", "stop", "Stop", tooltip="stop the run; asks first"),
        Binding("c", "resume", "Go on", tooltip="go on with a run that has stopped, failed or lost its process"),
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
        self.check_health()
        self.set_interval(SECONDS, self._check_again)

    def commands(self) -> Iterator[SystemCommand]:
        yield SystemCommand("Pause or wake the run", "hold its processes, or let them go on", self.action_pause)
        yield SystemCommand("Stop the run", "after what is under way, or at once", self.action_stop)
        yield SystemCommand("Go on with the run", "where it stopped, failed or was killed", self.action_resume)
        yield SystemCommand("Run again with changes", "a new run with this one's settings", self.action_again)
        yield SystemCommand("Check the health again", "what `karl doctor` checks", self.action_read_afresh)

    # -- reading -----------------------------------------------------------------------------------------------------

    def reading(self, *, afresh: bool) -> Callable[[], Any]:
        self._reader = self._reader or HomeReader(self.desk.store, self.desk.settings)
        return partial(self._reader.read, afresh=afresh)

    def show(self, view: HomeView) -> str:
        self._runs = {line.run.run_id: line for line in view.runs}
        self.query_one("#empty").display = not view.runs
        table = self.query_one(RunTable)
        table.display = bool(view.runs)
        if self.desk.run_id not in self._runs:
            self.desk.run_id = view.runs[0].run.run_id if view.runs else None
        table.show(view.runs, selected=self.desk.run_id)
        self.query_one(CorpusTable).show(view.corpora)
        self.query_one(CheckpointTable).show(view.checkpoints)
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

    @on(RunOpened)
    def _open(self, event: RunOpened) -> None:
        self.desk.run_id = event.run_id
        self.app.switch_mode("run")

    @on(CorpusOpened)
    def _launch(self, event: CorpusOpened) -> None:
        self.desk.wish = Wish(corpus=event.name)
        self.app.switch_mode("launch")

    def action_again(self) -> None:
        line = self._chosen()
        if line is not None:
            self.desk.wish = Wish(like=line.run.run_id)
            self.app.switch_mode("launch")

    # -- run control -------------------------------------------------------------------------------------------------

    def action_pause(self) -> None:
        line = self._chosen(str(RunState.RUNNING), processes.PAUSED)
        if line is None:
            return
        paused = line.standing == processes.PAUSED
        act = processes.wake if paused else processes.pause
        told = "goes on" if paused else "is paused; p wakes it"
        self._act(partial(act, self.desk.settings, line.run.name), f"run {line.run.name} {told}")

    def action_stop(self) -> None:
        line = self._chosen(str(RunState.RUNNING), processes.PAUSED)
        if line is not None:
            self.app.push_screen(StopScreen(line.run.name), partial(self._stop, line.run.name))

    def _stop(self, run: str, choice: bool | None) -> None:
        """choice: whether at once; None: it goes on."""
        if choice is not None:
            told = "ends" if choice else "stops when what is under way is finished"
            self._act(partial(processes.stop, self.desk.settings, run, at_once=choice), f"run {run} {told}")

    def action_resume(self) -> None:
        line = self._chosen(str(RunState.STOPPED), str(RunState.FAILED), processes.LOST)
        if line is None:
            return
        if line.run.planned is None:
            self.notify(f"run {line.run.name} is not of `karl run`: the command that started it goes on with it")
            return
        self.notify(f"run {line.run.name} is being started", markup=False)
        work = partial(self._resume, line.run.name)
        self.run_worker(work, name="resume", group="act", thread=True, exit_on_error=False)

    def _resume(self, run: str) -> tuple[str, launch.Look]:
        settings, worker = self.desk.settings, get_current_worker()
        launched = launch.resume(settings, run)
        return run, launch.wait(settings, launched, cancelled=lambda: worker.is_cancelled, seen=lambda _: None)

    def _act(self, work: Callable[[], None], told: str) -> None:
        def acted() -> str:
            work()
            return told

        self.run_worker(acted, name="act", group="act", thread=True, exit_on_error=False)

    @on(Worker.StateChanged)
    def _acted(self, event: Worker.StateChanged) -> None:
        if event.worker.group != "act" or event.state not in (WorkerState.SUCCESS, WorkerState.ERROR):
            return
        if event.state is WorkerState.ERROR:
            self.notify(str(event.worker.error), severity="error", markup=False)
        elif event.worker.name == "act":
            self.notify(str(event.worker.result), markup=False)
        elif event.worker.result is not None:
            self._resumed(*event.worker.result)
        self.read(afresh=True)

    def _resumed(self, run: str, seen: launch.Look) -> None:
        if seen.run is not None:
            self.notify(f"run {run} goes on", markup=False)
        elif seen.code is not None:
            self.app.push_screen(WordsScreen(f"run {run} did not go on", seen.said))

    def _chosen(self, *standings: str) -> RunLine | None:
        """The run under the cursor, if it stands so; says why not otherwise."""
        line = self._runs.get(self.desk.run_id or 0)
        if line is None:
            self.notify("there is no run yet")
            return None
        if standings and line.standing not in standings:
            self.notify(f"run {line.run.name} is {line.standing}", severity="warning", markup=False)
            return None
        return line
