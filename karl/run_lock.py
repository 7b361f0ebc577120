"""One process at a time owns a run: an exclusive lock on a file under the home folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from store.errors import UsageError
from store.file_lock import file_lock

LOCK_FOLDER = "locks"


@contextmanager
def run_lock(home: Path, *, name: str) -> Iterator[None]:
    """Own run `name` of the data folder `home` inside the block.

    Raises: UsageError that names the process that owns it; KarlError where no lock file can be made.
    """

    def taken(owner: str) -> UsageError:
        whose = f"process {owner}" if owner else "another process"
        return UsageError(
            f"run {name!r} is under way in {whose}; wait for it or stop it, or start another run with another --name"
        )

    path = home / LOCK_FOLDER / f"{name}.lock"
    with file_lock(path, note=f"{os.getpid()}\n", unmakable="the run's lock file cannot be made", taken=taken):
        yield
