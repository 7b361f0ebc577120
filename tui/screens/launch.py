"""The room that starts runs: a form, what it comes to, and a process that outlives this one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, ClassVar

from textual import events, on
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.widgets import Button, Static
from textual.worker import Worker, WorkerState, get_current_worker

from karl.control import launch
from karl.control.form import Draft
from store import queries
from tui.desk import Wish
from tui.messages import FieldChanged
from tui.reading.launch import LaunchView, read_launch
from tui.screens.base import RoomScreen
from tui.screens.words import WordsScreen
from tui.widgets.field_row import FieldRow
from tui.widgets.launch_form import DEMO, LaunchForm
from tui.widgets.launch_summary import LaunchSummary

PAUSE = 0.3  # seconds without a key before what is typed is checked


class LaunchScreen(RoomScreen):
    ROOM = "launch"
    CSS_PATH = "launch.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "start", "Start"),
        Binding("y", "copy", "Copy command"),
        Binding(
            "escape", "leave", "Leave field", key_display="esc", tooltip="out of the field, so that keys are keys again"
        ),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._shown: LaunchView | None = None
        self._starting = False
        self._pending = True  # what was asked for has not been shown yet
        self._wish: Wish | None = None

    def compose_room(self) -> ComposeResult:
        with Container(id="parts"):
            with Vertical(id="left"):
                yield LaunchForm(self.desk.settings)
                yield Static(id="help", markup=False)
            with Vertical(id="right"):
                yield LaunchSummary(id="summary")
                yield Button("Start (ctrl+s)", id="start", compact=True, disabled=True)

    def commands(self) -> Iterator[SystemCommand]:
        yield SystemCommand("Start the run", "as it is filled in", self.action_start)
        yield SystemCommand("Copy the command", "that starts the same run in a terminal", self.action_copy)
        yield SystemCommand("Fill in the demo", "two generated companies, nothing else needed", self.fill_demo)
        yield SystemCommand("Clear the form", "every setting gets its default", self.clear)

    # -- reading -----------------------------------------------------------------------------------------------------

    def reading(self, *, afresh: bool) -> Callable[[], Any] | None:
        """Only what has changed since: the offers when the room is entered, the preview when something was typed."""
        draft = self.form.draft
        if not (afresh or self._pending or self._shown is None) and draft == self._shown.draft:
            return None
        self._pending, self._wish, self.desk.wish = True, self.desk.wish or self._wish, None
        first = self._shown is None
        return partial(read_launch, self.desk.store, self.desk.settings, draft, wish=self._wish, afresh=afresh or first)

    def show(self, view: LaunchView) -> str:
        first, self._shown = self._shown is None, view
        self._pending, self._wish = False, None
        if view.offers is not None:
            self.form.offer(view.offers)
        if view.filled is not None:
            self.form.fill(view.filled)
            self.form.begin()
            return f"filled in as run {view.like} was" if view.like else "choose what else matters"
        if view.gone:
            return view.gone
        if first and view.offers is not None and not view.offers.by_setting.get("corpus"):
            self.fill_demo()
            return "nothing was ingested yet: the demo needs nothing"
        self.form.complain(view.preview.problems)
        self.query_one(LaunchSummary).show(view.preview)
        self._let_start()
        if view.offers is not None and view.offers.broken:
            return f"kinds of tasks are unknown: {view.offers.broken}"
        return self._told(view)

    def _told(self, view: LaunchView) -> str:
        if view.preview.problems:
            count = len(view.preview.problems)
            return f"{'1 thing' if count == 1 else f'{count} things'} to mend before it can start  {self.desk.source}"
        return f"ready: ctrl+s starts it, and it goes on when you quit  {self.desk.source}"

    @property
    def form(self) -> LaunchForm:
        return self.query_one(LaunchForm)

    def fill_demo(self) -> None:
        self.form.fill({"corpus": DEMO})

    def clear(self) -> None:
        self.form.fill({})

    @on(FieldChanged)
    def _changed(self) -> None:
        self.form.follow()
        self._let_start()
        self.set_timer(PAUSE, self.read)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """What the field in hand is about."""
        row = next((node for node in event.widget.ancestors if isinstance(node, FieldRow)), None)
        self.query_one("#help", Static).update(self.form.help_of(row.field.name) if row is not None else "")

    # -- starting ----------------------------------------------------------------------------------------------------

    def _ready(self) -> bool:
        shown = self._shown
        return shown is not None and not shown.preview.problems and shown.draft == self.form.draft

    def _let_start(self) -> None:
        self.query_one("#start", Button).disabled = self._starting or not self._ready()

    @on(Button.Pressed, "#start")
    def _pressed(self) -> None:
        self.action_start()

    def action_start(self) -> None:
        if self._starting:
            self.notify("it is being started")
        elif self._ready():
            self._starting = True
            self._let_start()
            self.say("starting ...")
            work = partial(self._start, self.form.draft)
            self.run_worker(work, name="start", group="start", thread=True, exit_on_error=False)
        else:
            self.notify("not yet: something is to be mended, or still being checked", severity="warning")

    def _start(self, draft: Draft) -> tuple[int | None, launch.Look]:
        """In a thread: the id of the run that has begun, and how its process is."""
        worker = get_current_worker()
        launched = launch.launch(self.desk.settings, draft)
        seen = launch.wait(self.desk.settings, launched, cancelled=lambda: worker.is_cancelled, seen=self._hear)
        if seen.run is None:
            return None, seen
        with self.desk.store.session() as session:
            return queries.run_by_name(session, seen.run).id, seen

    def _hear(self, seen: launch.Look) -> None:
        if seen.said:
            self.app.call_from_thread(self.say, f"starting: {seen.said[-1]}")

    @on(Worker.StateChanged)
    def _start_ended(self, event: Worker.StateChanged) -> None:
        if event.worker.name != "start" or not event.worker.is_finished:
            return
        self._starting = False
        self._let_start()
        if event.state is WorkerState.ERROR:
            self.say(f"cannot start: {event.worker.error}", failed=True)
        elif event.state is WorkerState.SUCCESS and event.worker.result is not None:
            self._started(*event.worker.result)

    def _started(self, run_id: int | None, seen: launch.Look) -> None:
        if run_id is not None:
            self.desk.run_id = run_id
            self.say(f"run {seen.run} has begun")
            self.notify(f"run {seen.run} has begun; quitting does not stop it", markup=False)
            if self.is_current:
                self.app.switch_mode("run")
        elif seen.code is not None:
            self.say(f"it has ended before its run began (exit code {seen.code})", failed=True)
            self.app.push_screen(WordsScreen("its last words", seen.said))

    # -- keys --------------------------------------------------------------------------------------------------------

    def action_copy(self) -> None:
        command = self._shown.preview.command if self._shown else ""
        if not command:
            self.notify("there is no command yet: something is to be mended", severity="warning")
            return
        self.app.copy_to_clipboard(command)
        self.notify(f"copied: {command}", markup=False)

    def action_leave(self) -> None:
        self.query_one(LaunchSummary).focus()
