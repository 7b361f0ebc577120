"""Search from many coroutines: equal queries answered once, concurrent ones in one batch, slow indexes in a thread."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, Self

from store.search_filter import SearchFilter, Where
from store.types import Hit
from store.vectors.base import VectorIndex


class Key(NamedTuple):
    """One search. Those that differ in the query alone go in one batch."""

    query: str
    k: int
    where: SearchFilter | None
    version: int = 0
    """Of the index when it was asked: what an older one answers is neither kept nor given to who asks later."""

    @property
    def kind(self) -> tuple[int, SearchFilter | None]:
        return self.k, self.where


@dataclass(slots=True)
class SearchStats:
    """hits: answered from the cache or with a query under way; misses: searched; seconds: inside the index."""

    hits: int = 0
    misses: int = 0
    batches: int = 0
    seconds: float = 0.0


class AsyncSearcher:
    """`await searcher.search(query, k)`; one event loop at a time.

    An index that answers in microseconds is searched inline: a thread would cost more than the search. It is closed
    with the searcher, unless others search it too (owned=False).
    """

    def __init__(
        self,
        index: VectorIndex,
        *,
        max_batch: int = 64,
        wait_seconds: float = 0.002,
        cache_size: int = 4096,
        inline: bool | None = None,
        owned: bool = True,
    ) -> None:
        self.index, self.counts, self._owned = index, SearchStats(), owned
        self._max_batch, self._wait, self._cache_size = max_batch, wait_seconds, cache_size
        self._inline = index.stats().instant if inline is None else inline
        self._version = index.version()
        self._cache: OrderedDict[Key, list[Hit]] = OrderedDict()
        self._pending: dict[Key, asyncio.Future[list[Hit]]] = {}
        self._queue: list[Key] = []
        self._worker: asyncio.Task[None] | None = None
        self._thread: ThreadPoolExecutor | None = None

    @property
    def mean_chars(self) -> float:
        return self.index.mean_chars

    async def search(self, query: str, k: int = 20, where: Where | None = None) -> list[Hit]:
        """At most k hits, best first, of the chunks that `where` lets through. Raises what the index raises; a failure
        is not cached."""
        self._forget_outdated()
        key = Key(query, k, SearchFilter.of(where), self._version)
        held = self._cache.get(key)
        if held is not None:
            self.counts.hits += 1
            self._cache.move_to_end(key)
            return list(held)
        if self._inline:
            return list(self._remember(key, self._run([key])[0]))
        self._check_loop()
        self.counts.hits += key in self._pending
        # Shielded: a rollout that is cancelled must not take the answer from others that wait for the same query.
        return list(await asyncio.shield(self._pending.get(key) or self._enqueue(key)))

    def _forget_outdated(self) -> None:
        """What an index answered before it changed."""
        if (version := self.index.version()) != self._version:
            self._version = version
            self._cache.clear()

    def _check_loop(self) -> None:
        """Forget what a closed event loop left behind."""
        if self._worker is not None and self._worker.get_loop() is not asyncio.get_running_loop():
            self._pending.clear()
            self._queue.clear()
            self._worker = None

    def _enqueue(self, key: Key) -> asyncio.Future[list[Hit]]:
        future: asyncio.Future[list[Hit]] = asyncio.get_running_loop().create_future()
        future.add_done_callback(_mark_retrieved)
        self._pending[key] = future
        self._queue.append(key)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.get_running_loop().create_task(self._drain())
        return future

    async def _drain(self) -> None:
        """Batches of what has gathered, until nothing is left."""
        while self._queue:
            if len(self._queue) < self._max_batch:
                await asyncio.sleep(self._wait)
            kind = self._queue[0].kind
            batch = [key for key in self._queue if key.kind == kind][: self._max_batch]
            taken = set(batch)
            self._queue = [key for key in self._queue if key not in taken]
            await self._answer(batch)

    async def _answer(self, batch: list[Key]) -> None:
        self._thread = self._thread or ThreadPoolExecutor(max_workers=1, thread_name_prefix="karl-search")
        try:
            results = await asyncio.get_running_loop().run_in_executor(self._thread, self._run, batch)
        except BaseException as exc:
            # Handed to those who wait, who are the ones to type it; cancellation ends the worker as well.
            for key in batch:
                _fail(self._pending.pop(key), exc)
            if not isinstance(exc, Exception):
                raise
            return
        for key, hits in zip(batch, results, strict=True):
            self._pending.pop(key).set_result(self._remember(key, hits))

    def _run(self, batch: list[Key]) -> list[list[Hit]]:
        """Of one kind."""
        started = time.perf_counter()
        results = self.index.search([key.query for key in batch], k=batch[0].k, where=batch[0].where)
        self.counts.seconds += time.perf_counter() - started
        self.counts.misses += len(batch)
        self.counts.batches += 1
        return results

    def _remember(self, key: Key, hits: list[Hit]) -> list[Hit]:
        if self._cache_size > 0:
            self._cache[key] = hits
            if len(self._cache) > self._cache_size:
                self._cache.popitem(last=False)
        return hits

    def close(self) -> None:
        """End the thread, if there is one, and let go of what the index holds. May be called again."""
        if self._thread is not None:
            self._thread.shutdown(wait=True)
            self._thread = None
        if self._owned:
            self.index.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _fail(future: asyncio.Future[list[Hit]], exc: BaseException) -> None:
    if isinstance(exc, asyncio.CancelledError):
        future.cancel()
    else:
        future.set_exception(exc)


def _mark_retrieved(future: asyncio.Future[list[Hit]]) -> None:
    """Nobody may be waiting any more; asyncio would then log the failure as lost."""
    if not future.cancelled():
        future.exception()
