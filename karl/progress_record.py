"""Progress that others can watch: a reporter that also writes to the store how far each stage of a run is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from karl.reporting import Progress, Reporter
from store import queries
from store.errors import KarlError
from store.session import Store

SECONDS = 1.0  # between two writes of one stage
REFUSED_SECONDS = 60.0  # after one that the database refused: it may have kept the run waiting for half a minute


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
            row.write()
            try:
                yield row
            finally:
                row.write(over=True)


class _Row:
    """One stage's row. `advance` may be called thousands of times a second: most calls write nothing."""

    def __init__(self, store: Store, run_id: int, shown: Progress, *, title: str, total: int, done: int) -> None:
        self._store, self._run_id, self._shown = store, run_id, shown
        self._title, self._total, self._done, self._first = title, total, done, done
        self._under_way, self._note = 0, ""
        self._begun, self._refused, self._next = False, False, 0.0

    def skip(self, count: int) -> None:
        self._shown.skip(count)
        self._done, self._first = self._done + count, self._first + count
        self._write_now_and_then()

    def advance(self, count: int = 1, note: str = "", total: int | None = None) -> None:
        self._shown.advance(count, note, total)
        self._done, self._note, self._total = self._done + count, note, total or self._total
        self._write_now_and_then()

    def reach(self, done: int, total: int) -> None:
        self._shown.reach(done, total)
        self._done, self._total = done, total
        self._write_now_and_then()

    def under_way(self, count: int) -> None:
        self._shown.under_way(count)
        self._under_way = count
        # Told now: the first rollout of a slow endpoint may take minutes, and nothing is written before it.
        self._write_now_and_then(hurried=True)

    def write(self, *, over: bool = False) -> None:
        with self._held_back(), self._store.session() as session:
            if not self._begun:
                queries.begin_progress(session, self._run_id, title=self._title, total=self._total, done=self._first)
            queries.set_progress(
                session,
                self._run_id,
                title=self._title,
                done=self._done,
                first=self._first,
                total=self._total,
                under_way=0 if over else self._under_way,
                note=self._note,
                over=over,
            )

    @contextmanager
    def _held_back(self) -> Iterator[None]:
        """What is shown may be late or missing: the run goes on, and its own writes tell of a database that is gone."""
        try:
            yield
            self._begun, self._refused = True, False
        except KarlError:
            self._refused = True
        self._next = time.monotonic() + (REFUSED_SECONDS if self._refused else SECONDS)

    def _write_now_and_then(self, *, hurried: bool = False) -> None:
        if time.monotonic() >= self._next or (hurried and not self._refused):
            self.write()
