"""What every room's screen does: the bar above, the keys below, and readings of the store in a thread between them.

A room says what to read (`reading`) and how to show it (`show`). One reading at a time; a room that nobody looks at
reads nothing; what goes wrong is told in the status line and tried again, while the rest of the screen stays.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import ScreenResume
from textual.screen import Screen
from textual.worker import Worker, WorkerState

from tui.desk import Desk
from tui.rooms import ROOMS
from tui.widgets.keys import Keys
from tui.widgets.room_bar import RoomBar
from tui.widgets.told import Told

SECONDS = 1.0  # between two readings
SLOW = 2.0  # seconds after which a reading that has not come back is told
WHY_SLOW = "the database is locked, or the machine is busy"


class RoomScreen(Screen[None]):
    ROOM: ClassVar[str]
    BINDINGS: ClassVar[list[BindingType]] = [Binding("r", "read_afresh", "Refresh", show=False)]

    def __init__(self) -> None:
        super().__init__()
        self._began: float | None = None  # of the reading under way
        self._asked_meanwhile = False
        self.idle_actions: frozenset[str] = frozenset()  # that only say why they do nothing now: their keys are dim
        self.readings = 0  # that have been shown; of a room that reads nothing, how often it was entered

    # -- what a room says --------------------------------------------------------------------------------------------

    def compose_room(self) -> ComposeResult:
        """The widgets between bar and keys."""
        raise NotImplementedError

    def reading(self, *, afresh: bool) -> Callable[[], Any] | None:
        """What a thread shall read, bound to what is selected now; None: nothing to read. `afresh`: the user asked."""
        raise NotImplementedError

    def show(self, view: Any) -> str:
        """Draw what was read; returns what the status line says."""
        raise NotImplementedError

    # -- reading -----------------------------------------------------------------------------------------------------

    @property
    def desk(self) -> Desk:
        from tui.app import KarlApp

        assert isinstance(self.app, KarlApp)
        return self.app.desk

    def compose(self) -> ComposeResult:
        yield RoomBar(ROOMS, here=self.ROOM)
        yield Told(id="status")
        yield from self.compose_room()
        yield Keys()

    def on_mount(self) -> None:
        self.say(f"reading {self.desk.source}")
        self.set_interval(SECONDS, self._tick)

    def on_screen_resume(self, event: ScreenResume) -> None:
        # Nothing here is styled by what changes elsewhere; a new theme is applied when the room is entered.
        event.refresh_styles = False
        self.come_back()

    def come_back(self) -> None:
        """The user enters the room, or what lay over it is gone."""
        self.read(afresh=True)

    def _tick(self) -> None:
        if self.is_current:
            self.read()

    def read(self, *, afresh: bool = False) -> None:
        """Start a reading, one at a time: a slow database must not pile up threads."""
        if self._began is not None:
            self._asked_meanwhile = self._asked_meanwhile or afresh
            if time.monotonic() - self._began > SLOW:
                self.say(f"still reading after {time.monotonic() - self._began:.0f} s: {WHY_SLOW}", failed=True)
            return
        work = self.reading(afresh=afresh)
        if work is None:
            self.readings += afresh
            return
        self._began, self._asked_meanwhile = time.monotonic(), False
        self.run_worker(work, name="read", group="read", thread=True, exit_on_error=False)

    @on(Worker.StateChanged)
    def _act_failed(self, event: Worker.StateChanged) -> None:
        """Of `tui.threads`; whatever it was, the screen stays."""
        if event.worker.name == "act" and event.state is WorkerState.ERROR:
            self.say(f"that failed: {event.worker.error}", failed=True)

    @on(Worker.StateChanged)
    def _read_ended(self, event: Worker.StateChanged) -> None:
        if event.worker.name != "read" or event.state in (WorkerState.PENDING, WorkerState.RUNNING):
            return
        self._began = None
        gc.enable()  # the command that opened the first room had turned it off
        if event.state is WorkerState.SUCCESS:
            self.say(self.show(event.worker.result))
            self.readings += 1
            if self.readings == 1:
                # What a room has loaded stays: to look for garbage in it again and again takes longer than a frame.
                gc.freeze()
        elif event.state is WorkerState.ERROR:
            self.say(f"cannot read, trying again: {event.worker.error}", failed=True)
        if self._asked_meanwhile:
            self.read(afresh=True)

    def say(self, text: str, *, failed: bool = False) -> None:
        """In the status line."""
        status = self.query_one("#status", Told)
        status.set_class(failed, "failed")
        status.say(text)

    def action_read_afresh(self) -> None:
        self.read(afresh=True)
