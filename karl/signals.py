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
SHOW_CURSOR = "\x1b[?25h"


@contextmanager
def stop_on_signals(stop: asyncio.Event, *, say: Callable[[str], None]) -> Iterator[None]:
    """Inside the block SIGINT and SIGTERM set `stop`; a second one cancels the current task, and exits if that hangs.

    Does nothing outside the main thread, where Python delivers no signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = _Handler(stop, say=say)
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


class _Handler:
    def __init__(self, stop: asyncio.Event, *, say: Callable[[str], None]) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._loop, self._task = asyncio.get_running_loop(), task
        self._stop, self._say, self._asked = stop, say, 0

    def __call__(self, _signal: int, _frame: Any) -> None:
        # Runs between any two bytecodes of the main thread: only the loop may touch its objects and the console.
        self._asked += 1
        if self._asked == 1:
            self._loop.call_soon_threadsafe(self._ask)
            return
        self._loop.call_soon_threadsafe(self._task.cancel)
        timer = threading.Timer(GRACE_SECONDS, _leave)
        timer.daemon = True
        timer.start()

    def _ask(self) -> None:
        self._stop.set()
        self._say("stopping: what is under way is finished and stored; Ctrl-C again ends at once")


def _leave() -> None:
    """The store needs no goodbye: every transaction is finished or rolled back when it is next opened."""
    if sys.stderr.isatty():
        sys.stderr.write(SHOW_CURSOR)
        sys.stderr.flush()
    os._exit(EXIT_CODE)
