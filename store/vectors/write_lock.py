"""One writer of an index at a time: a lock on a file beside it, which says who and since when.

The kernel releases it when the process ends, however it ends: there is no stale lock to take away.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from store.errors import KarlError

POLL_SECONDS = 0.1


@contextmanager
def write_lock(path: Path, *, wait_seconds: float) -> Iterator[None]:
    """Raises: KarlError that names the writer if it is not done in time, or where no lock can be made."""
    handle = _opened(path)
    try:
        _acquire(handle, path=path, wait_seconds=wait_seconds)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"process {os.getpid()} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC".encode(), 0)
        yield
    finally:
        # The file stays: who would unlink it could take it from under a process that has just opened it.
        os.close(handle)


def _opened(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as exc:
        raise KarlError(f"{path}: cannot write the index: {exc.strerror}; is the home writable?") from exc


def _acquire(handle: int, *, path: Path, wait_seconds: float) -> None:
    until = time.monotonic() + wait_seconds
    while not _locked(handle, path=path):
        if time.monotonic() >= until:
            owner = os.pread(handle, 200, 0).decode(errors="replace") or "another process"
            raise KarlError(f"{path.parent}: the index is being written by {owner}; wait for it or stop it")
        time.sleep(POLL_SECONDS)


def _locked(handle: int, *, path: Path) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as exc:
        raise KarlError(f"{path}: cannot be locked: {exc.strerror}; keep the home on a local disk") from exc
    return True
