"""One process at a time: an exclusive lock on a file, which says who holds it.

The kernel releases it when the process ends, however it ends: there is no stale lock to take away.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from store.errors import KarlError

POLL_SECONDS = 0.1
LONGEST_NOTE = 200  # bytes


@contextmanager
def file_lock(
    path: Path, *, note: str, unmakable: str, taken: Callable[[str], KarlError], wait_seconds: float = 0.0
) -> Iterator[None]:
    """Hold the lock inside the block. note: who holds it, for others to read.

    Raises: what `taken` makes of the holder's note ("" where there is none yet) if it is not released in time;
    KarlError that begins with path and `unmakable` where no lock can be made.
    """
    handle = _opened(path, unmakable=unmakable)
    try:
        _acquire(handle, path=path, taken=taken, wait_seconds=wait_seconds)
        _write_note(handle, note, path=path, unmakable=unmakable)
        yield
    finally:
        # The file stays: who would unlink it could take it from under a process that has just opened it.
        os.close(handle)


def _opened(path: Path, *, unmakable: str) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as exc:
        raise KarlError(f"{path}: {unmakable}: {exc.strerror}; is the home writable?") from exc


def _write_note(handle: int, note: str, *, path: Path, unmakable: str) -> None:
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, note.encode(), 0)
    except OSError as exc:
        raise KarlError(f"{path}: {unmakable}: {exc.strerror}; free the disk and run again") from exc


def _acquire(handle: int, *, path: Path, taken: Callable[[str], KarlError], wait_seconds: float) -> None:
    until = time.monotonic() + wait_seconds
    while not _locked(handle, path=path):
        if time.monotonic() >= until:
            raise taken(os.pread(handle, LONGEST_NOTE, 0).decode(errors="replace").strip())
        time.sleep(POLL_SECONDS)


def _locked(handle: int, *, path: Path) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as exc:
        raise KarlError(f"{path}: cannot be locked: {exc.strerror}; keep the home on a local disk") from exc
    return True
