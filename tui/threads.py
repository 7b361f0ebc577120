"""Work that a key asks for, off the event loop."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from tui.screens.base import RoomScreen

T = TypeVar("T")


def in_thread(screen: RoomScreen, work: Callable[[], T], done: Callable[[T], None]) -> None:
    """`done` gets the result on the event loop; what goes wrong is told in the screen's status line."""
    screen.run_worker(partial(_do, screen, work, done), thread=True, exit_on_error=False, name="act", group="act")


def _do(screen: RoomScreen, work: Callable[[], T], done: Callable[[T], None]) -> None:
    screen.app.call_from_thread(done, work())
