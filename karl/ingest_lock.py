"""One ingestion of a corpus at a time on a machine: two would each count what the other writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from store.errors import KarlError
from store.file_lock import file_lock
from store.vectors.library import index_folder


@contextmanager
def ingest_lock(home: str | Path, corpus: str) -> Iterator[None]:
    """Raises: KarlError that names who is ingesting, at once, or where no lock can be made."""

    def taken(owner: str) -> KarlError:
        whose = owner or "another process"
        return KarlError(f"corpus {corpus}: it is being ingested by {whose}; wait for it or stop it, then run again")

    note = f"process {os.getpid()} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    path = index_folder(home, corpus) / "ingest.lock"
    with file_lock(path, note=note, unmakable="cannot ingest", taken=taken):
        yield
