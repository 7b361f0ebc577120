"""Progress that others can watch: a reporter that also writes to the store how far each stage of a run is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from karl.reporting import Progress, Reporter
from store import queries
from store.errors import KarlError
from store.session import Store

SECONDS = 1.0  # between two writes of one stage


class RecordingReporter:
    """Says and draws what `inner` does, and keeps a row a stage. A store that refuses costs a row, never the run."""

    def __init__(self, store: Store, run_id: int, inner: Reporter) -> None:
        self._store, self._run_id, self._inner = store, run_id, inner

    def say(self, text: str) -> None:
        self._inner.say(text)

    @contextmanager
    def stage(self, title: str, total: int, *, done: int = 0) -> Iterator[Progress]:
        with self._inner.stage(title, total, done=done) as shown:
            row = _Row(self._store, self._run_id, shown, title=title, total=total, done=done)
            row.begin()
            try:
                yield row
            finally:
                row.write(over=True)


class _Row:
    """One stage's row. `advance` may be called thousands of times a second: most calls write nothing."""

    def __init__(self, store: Store, run_id: int, shown: Progress, *, title: str, total: int, done: int) -> None:
        self._store, self._run_id, self._shown = store, run_id, shown
        self._title, self._total, self._done = title, total, done
        self._under_way, self._note, self._written = 0, "", 0.0

    def advance(self, count: int = 1, note: str = "", total: int | None = None) -> None:
        self._shown.advance(count, note, total)
        self._done, self._note, self._total = self._done + count, note, total or self._total
        self._write_now_and_then()

    def reach(self, done: int, total: int) -> None:
        self._shown.reach(done, total)
        self._done, self._total = done, total
        self._write_now_and_then()

    def under_way(self, count: int) -> None:
        self._under_way = count
        self._shown.under_way(count)

    def begin(self) -> None:
        # What is shown may be late or missing, the run goes on: its own writes will tell of a database that is gone.
        with suppress(KarlError), self._store.session() as session:
            queries.begin_progress(session, self._run_id, title=self._title, total=self._total, done=self._done)

    def write(self, *, over: bool = False) -> None:
        self._written = time.monotonic()
        with suppress(KarlError), self._store.session() as session:
            queries.set_progress(
                session,
                self._run_id,
                title=self._title,
                done=self._done,
                total=self._total,
                under_way=0 if over else self._under_way,
                note=self._note,
                over=over,
            )

    def _write_now_and_then(self) -> None:
        if time.monotonic() - self._written >= SECONDS:
            self.write()
