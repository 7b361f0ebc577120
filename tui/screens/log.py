"""What a run says that has no terminal: the end of its log file, and what comes."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Log, Static
from textual.worker import Worker, WorkerState

from karl.control.place import Settings, log_file
from tui.reading.log import LogTail, Said
from tui.widgets.keys import Keys

LINES = 5000  # that are kept on the screen
SECONDS = 1.0


class LogScreen(Screen[None]):
    CSS_PATH = "log.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,l", "dismiss", "Back", key_display="esc"),
        Binding("y", "copy", "Copy"),
    ]

    def __init__(self, settings: Settings, run: str) -> None:
        super().__init__()
        self._run = run
        self._tail = LogTail(log_file(settings, run))

    def compose(self) -> ComposeResult:
        yield Static(f"the log of run {self._run}: {self._tail.path}", id="where", markup=False)
        yield Static("reading", id="nothing", markup=False)
        yield Log(max_lines=LINES)
        yield Keys()

    def on_mount(self) -> None:
        self.query_one(Log).display = False
        self.set_interval(SECONDS, self._look)
        self._look()

    def _look(self) -> None:
        if not any(worker.name == "log" and not worker.is_finished for worker in self.workers):
            self.run_worker(self._tail.read, name="log", group="log", thread=True, exit_on_error=False)

    @on(Worker.StateChanged)
    def _looked(self, event: Worker.StateChanged) -> None:
        if event.worker.name != "log":
            return
        if event.state is WorkerState.SUCCESS and event.worker.result is not None:
            self._show(event.worker.result)
        elif event.state is WorkerState.ERROR:
            self._tell(f"{self._tail.path}: cannot be read: {event.worker.error}")

    def _show(self, said: Said) -> None:
        log = self.query_one(Log)
        if said.anew:
            log.clear()
        if said.text:
            log.write(said.text)
        log.display = bool(log.line_count)
        self.query_one("#nothing").display = not log.display
        if not log.display:
            self._tell("It has said nothing." if said.exists else NO_LOG)

    def _tell(self, text: str) -> None:
        nothing = self.query_one("#nothing", Static)
        nothing.display = True
        nothing.update(text)

    def action_copy(self) -> None:
        self.app.copy_to_clipboard("\n".join(self.query_one(Log).lines))
        self.notify("copied")


NO_LOG = "There is no log: the run was started in a terminal and speaks there. One that is started here has one."
