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
from store.types import RunState

CLOCK_SLACK = 2.0  # seconds: of a file's time and a process's start, which are read from different clocks
PAUSED, LOST = "paused", "lost"  # what the store calls running


class RunProcess(NamedTuple):
    """The owner of a run."""

    pid: int
    paused: bool


def run_process(settings: Settings, run: str) -> RunProcess | None:
    """Who owns the run now; None: nobody."""
    owner = _owner(_lock(settings, run))
    if owner is None:
        return None
    try:
        return RunProcess(owner.pid, owner.status() == psutil.STATUS_STOPPED)
    except psutil.NoSuchProcess:
        return None


def standing(settings: Settings, run: str, state: RunState) -> str:
    """The state as it is: of a run that the store calls running also `paused`, or `lost` where its process has died.

    A run that this home has no lock of is another home's, or begins at this moment: it is believed.
    """
    if state is not RunState.RUNNING or not _lock(settings, run).exists():
        return str(state)
    owner = run_process(settings, run)
    return LOST if owner is None else PAUSED if owner.paused else str(state)


def run_of(settings: Settings, pid: int, *, since: float) -> str | None:
    """The run that process `pid` has owned since the time `since`, also when it has ended; None: none yet."""
    for lock in (settings.home / LOCK_FOLDER).glob("*.lock"):
        try:
            if lock.stat().st_mtime > since - CLOCK_SLACK and _number(lock) == pid:
                return lock.stem
        except (OSError, ValueError):
            continue  # just made: its number is not in it yet
    return None


def pause(settings: Settings, run: str) -> None:
    """Hold the run and the processes that it started. Raises: UsageError when nobody owns it, or another user does.

    Requests to endpoints that are under way meanwhile may time out; such rollouts are made again.
    """
    _each(settings, run, lambda process: process.suspend())


def wake(settings: Settings, run: str) -> None:
    """Let a paused run go on. Raises: as `pause`."""
    _each(settings, run, lambda process: process.resume())


def stop(settings: Settings, run: str, *, at_once: bool = False) -> None:
    """Ask the run to finish what is under way and end, as Ctrl-C does; at once: as a second Ctrl-C does.

    A paused run is woken for that. Raises: as `pause`.
    """
    wake(settings, run)
    owner = _required(settings, run)
    _signalled(owner, run, lambda process: process.send_signal(signal.SIGINT))
    if at_once:
        # Another signal of the same meaning: two of one number that arrive together are one.
        _signalled(owner, run, lambda process: process.send_signal(signal.SIGTERM))


def _lock(settings: Settings, run: str) -> Path:
    return settings.home / LOCK_FOLDER / f"{run}.lock"


def _number(lock: Path) -> int:
    return int(lock.read_text(encoding="utf-8").strip())


def _owner(lock: Path) -> psutil.Process | None:
    """The lock itself is not tried: a run that begins at that moment would find it taken."""
    try:
        process = psutil.Process(_number(lock))
        dead = process.status() == psutil.STATUS_ZOMBIE
        return process if not dead and _holds(process, lock) else None
    except (OSError, ValueError, psutil.NoSuchProcess):
        return None


def _holds(process: psutil.Process, lock: Path) -> bool:
    """An owner has the file open. One that has not was given the number of an owner that is dead."""
    try:
        return str(lock.resolve()) in {file.path for file in process.open_files()}
    except psutil.AccessDenied:  # another user's: it must at least be as old as the lock
        return process.create_time() <= lock.stat().st_mtime + CLOCK_SLACK


def _each(settings: Settings, run: str, act: Callable[[psutil.Process], None]) -> None:
    owner = _required(settings, run)
    # The owner first: it could start another while its children are being held.
    _signalled(owner, run, act)
    for child in _children(owner):
        _signalled(child, run, act)


def _children(owner: psutil.Process) -> list[psutil.Process]:
    try:
        return owner.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _required(settings: Settings, run: str) -> psutil.Process:
    owner = _owner(_lock(settings, run))
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
