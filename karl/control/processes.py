"""The process that owns a run: whether there is one, and how it is paused, woken and asked to stop.

A paused run holds its memory and goes on at once; a stopped one has ended, and the same command goes on where it was.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psutil

from karl.run_lock import LOCK_FOLDER
from karl.settings import Settings
from store.errors import UsageError

CLOCK_SLACK = 2.0  # seconds: of a file's time and a process's start, which are read from different clocks


class RunProcess(NamedTuple):
    """The owner of a run."""

    pid: int
    paused: bool


def run_process(settings: Settings, run: str) -> RunProcess | None:
    """Who owns the run now; None: nobody, so a run that the store calls running has been killed."""
    owner = _owner(settings.home / LOCK_FOLDER / f"{run}.lock")
    if owner is None:
        return None
    try:
        return RunProcess(owner.pid, owner.status() == psutil.STATUS_STOPPED)
    except psutil.NoSuchProcess:
        return None


def _owner(lock: Path) -> psutil.Process | None:
    """The lock itself is not tried: a run that begins at that moment would find it taken."""
    try:
        process = psutil.Process(int(lock.read_text(encoding="utf-8").strip()))
        # A number that was given to another process after the owner's death: that one is younger than the file.
        if process.create_time() > lock.stat().st_mtime + CLOCK_SLACK or process.status() == psutil.STATUS_ZOMBIE:
            return None
    except (OSError, ValueError, psutil.NoSuchProcess):
        return None
    return process


def pause(settings: Settings, run: str) -> None:
    """Hold the run and the processes that it started. Raises: UsageError when nobody owns it, or another user does.

    Requests to endpoints that are under way meanwhile may time out; such rollouts are made again.
    """
    _each(settings, run, lambda process: process.suspend())


def wake(settings: Settings, run: str) -> None:
    """Let a paused run go on. Raises: as `pause`."""
    _each(settings, run, lambda process: process.resume())


def stop(settings: Settings, run: str) -> None:
    """Ask the run to finish what is under way and end, as Ctrl-C does; asked twice, it ends at once.

    A paused run is woken for that. Raises: as `pause`.
    """
    wake(settings, run)
    _signalled(_required(settings, run), run, lambda process: process.send_signal(signal.SIGINT))


def _each(settings: Settings, run: str, act: Callable[[psutil.Process], None]) -> None:
    owner = _required(settings, run)
    # The owner first: it could start another while its children are being held.
    _signalled(owner, run, act)
    for child in owner.children(recursive=True):
        _signalled(child, run, act)


def _required(settings: Settings, run: str) -> psutil.Process:
    owner = _owner(settings.home / LOCK_FOLDER / f"{run}.lock")
    if owner is None:
        raise UsageError(f"no process owns run {run!r}; the command that started it goes on with it")
    return owner


def _signalled(process: psutil.Process, run: str, act: Callable[[psutil.Process], None]) -> None:
    try:
        act(process)
    except psutil.NoSuchProcess:
        return  # it has ended by itself
    except psutil.AccessDenied as exc:
        raise UsageError(f"run {run!r}: process {process.pid} is another user's") from exc
