"""Hold, wake, stop and resume the run that a room is about: the same keys wherever there is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import ClassVar, NamedTuple

from textual import on
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.worker import Worker, WorkerState, get_current_worker

from karl.control import launch, processes
from store.types import RunState
from tui.screens.base import RoomScreen
from tui.screens.stop import StopScreen
from tui.screens.words import WordsScreen


class Controlled(NamedTuple):
    """planned: iterations, None: it is no run of `karl run`."""

    name: str
    standing: str
    planned: int | None


GOING = (str(RunState.RUNNING), processes.PAUSED)
HALTED = (str(RunState.STOPPED), str(RunState.FAILED), processes.LOST)
# action -> how a run stands that it does something with
FITTING = {"pause": GOING, "stop": GOING, "resume": HALTED}


class RunControlScreen(RoomScreen):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "pause", "Pause", tooltip="hold the run, or let it go on"),
        Binding("x", "stop", "Stop", tooltip="stop the run; asks first"),
        Binding("c", "resume", "Go on", tooltip="go on with a run that has stopped, failed or lost its process"),
    ]

    def controlled(self) -> Controlled | None:
        """What the keys are for; None: there is no run."""
        raise NotImplementedError

    def follow_standing(self) -> None:
        """The run, or how it stands, may be another."""
        run = self.controlled()
        standing = run.standing if run is not None else ""
        idle = frozenset(action for action, fitting in FITTING.items() if standing not in fitting)
        if idle != self.idle_actions:
            self.idle_actions = idle
            self.refresh_bindings()

    def commands(self) -> Iterator[SystemCommand]:
        yield SystemCommand("Pause or wake the run", "hold its processes, or let them go on", self.action_pause)
        yield SystemCommand("Stop the run", "after what is under way, or at once", self.action_stop)
        yield SystemCommand("Go on with the run", "where it stopped, failed or was killed", self.action_resume)

    def action_pause(self) -> None:
        run = self._chosen(*GOING)
        if run is None:
            return
        paused = run.standing == processes.PAUSED
        act = processes.wake if paused else processes.pause
        told = "goes on" if paused else "is paused; p wakes it"
        self._act(partial(act, self.desk.settings, run.name), f"run {run.name} {told}")

    def action_stop(self) -> None:
        run = self._chosen(*GOING)
        if run is not None:
            self.app.push_screen(StopScreen(run.name), partial(self._stop, run.name))

    def _stop(self, run: str, choice: bool | None) -> None:
        """choice: whether at once; None: it goes on."""
        if choice is not None:
            told = "ends" if choice else "stops when what is under way is finished"
            self._act(partial(processes.stop, self.desk.settings, run, at_once=choice), f"run {run} {told}")

    def action_resume(self) -> None:
        run = self._chosen(*HALTED)
        if run is None:
            return
        if run.planned is None:
            told = f"run {run.name} is not of `karl run`: the command that started it goes on with it"
            self.notify(told, markup=False)
            return
        self.notify(f"run {run.name} is being started", markup=False)
        self.run_worker(partial(self._resume, run.name), name="resume", group="act", thread=True, exit_on_error=False)

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

    def _chosen(self, *standings: str) -> Controlled | None:
        """The run, if it stands so; says why not otherwise."""
        run = self.controlled()
        if run is None:
            self.notify("there is no run yet")
            return None
        if run.standing not in standings:
            self.notify(f"run {run.name} is {run.standing}", severity="warning", markup=False)
            return None
        return run
