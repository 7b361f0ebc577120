"""One writer of an index at a time: a lock on a file beside it, which says who and since when."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from store.errors import KarlError
from store.file_lock import file_lock

WAIT_SECONDS = 600.0  # for another process that is writing the same index: it does our work


class BeingWritten(KarlError):
    """Another process is writing, and was not done in time."""


@contextmanager
def write_lock(path: Path, *, wait_seconds: float) -> Iterator[None]:
    """Raises: BeingWritten that names the writer if it is not done in time; KarlError where no lock can be made."""

    def taken(owner: str) -> KarlError:
        whose = owner or "another process"
        return BeingWritten(f"{path.parent}: the index is being written by {whose}; wait for it or stop it")

    note = f"process {os.getpid()} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    with file_lock(path, note=note, unmakable="cannot write the index", taken=taken, wait_seconds=wait_seconds):
        yield
