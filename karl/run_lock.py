"""One process at a time owns a run: an exclusive lock on a file under the home folder.

The kernel releases it when the process ends, however it ends: there is no stale lock to take away.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from store.errors import KarlError, UsageError

LOCK_FOLDER = "locks"


@contextmanager
def run_lock(home: Path, *, name: str) -> Iterator[None]:
    """Own run `name` of the data folder `home` inside the block.

    Raises: UsageError that names the process that owns it; KarlError where no lock file can be made.
    """
    path = home / LOCK_FOLDER / f"{name}.lock"
    handle = _opened(path)
    try:
        _acquire(handle, path=path, name=name)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        # The file stays: who would unlink it could take it from under a process that has just opened it.
        os.close(handle)


def _opened(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as exc:
        raise KarlError(f"{path}: the run's lock file cannot be made: {exc.strerror}; is the home writable?") from exc


def _acquire(handle: int, *, path: Path, name: str) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        owner = os.pread(handle, 32, 0).decode(errors="replace").strip()
        whose = f"process {owner}" if owner else "another process"
        raise UsageError(
            f"run {name!r} is under way in {whose}; wait for it or stop it, or start another run with another --name"
        ) from exc
    except OSError as exc:
        raise KarlError(f"{path}: cannot be locked: {exc.strerror}; keep the home on a local disk") from exc
