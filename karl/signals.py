"""Ctrl-C while a run is under way: the first asks it to stop, the second ends it at once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)
EXIT_CODE = 130
GRACE_SECONDS = 2.0  # after the second one, to store what is finished; a busy thread may hold the process longer
NOTE_SECONDS = 2.0  # for the last note of a process that hangs; the database may be what it hangs at
SHOW_CURSOR = "\x1b[?25h"


@contextmanager
def stop_on_signals(
    stop: asyncio.Event, *, say: Callable[[str], None], leaving: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Inside the block SIGINT and SIGTERM set `stop`; a second one cancels the current task, and exits if that hangs.

    leaving: called in a thread before such an exit, to note how the process ended.
    Does nothing outside the main thread, where Python delivers no signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = _Handler(stop, say=say, leaving=leaving)
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


class _Handler:
    def __init__(self, stop: asyncio.Event, *, say: Callable[[str], None], leaving: Callable[[], None]) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._loop, self._task = asyncio.get_running_loop(), task
        self._stop, self._say, self._leaving, self._asked = stop, say, leaving, 0

    def __call__(self, _signal: int, _frame: Any) -> None:
        # Runs between any two bytecodes of the main thread: only the loop may touch its objects and the console.
        self._asked += 1
        if self._asked == 1:
            self._loop.call_soon_threadsafe(self._ask)
            return
        self._loop.call_soon_threadsafe(self._task.cancel)
        timer = threading.Timer(GRACE_SECONDS, _leave, [self._leaving])
        timer.daemon = True
        timer.start()

    def _ask(self) -> None:
        self._stop.set()
        self._say("stopping: what is under way is finished and stored; Ctrl-C again ends at once")


def _leave(leaving: Callable[[], None]) -> None:
    """The store needs no goodbye: every transaction is finished or rolled back when it is next opened."""
    note = threading.Thread(target=leaving, daemon=True)
    note.start()
    note.join(NOTE_SECONDS)
    if sys.stderr.isatty():
        sys.stderr.write(SHOW_CURSOR)
        sys.stderr.flush()
    os._exit(EXIT_CODE)
