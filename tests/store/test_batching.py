"""Searching from many coroutines."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Sequence

import pytest

from store.corpus_settings import FusionWeights
from store.search_filter import SearchFilter
from store.types import Hit
from store.vectors.base import IndexEntry, IndexStats, Progress
from store.vectors.batching import AsyncSearcher


class EchoIndex:
    """Answers with the query itself; counts batches and threads; fails on the query "bad"."""

    def __init__(self, *, chunks: int = 10, vectors: int = 10) -> None:
        self.batches: list[list[str]] = []
        self.threads: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.changes = self.closed = 0
        self._stats = IndexStats(chunks, vectors, 8, "echo", "echo")

    def build(self, entries: Iterable[IndexEntry], *, progress: Progress | None = None) -> IndexStats:
        return self._stats

    def add(self, entries: Iterable[IndexEntry], *, progress: Progress | None = None) -> IndexStats:
        return self._stats

    def delete(self, chunk_ids: Iterable[int]) -> IndexStats:
        return self._stats

    def search(
        self,
        queries: Sequence[str],
        *,
        k: int = 20,
        fusion: FusionWeights | None = None,
        where: SearchFilter | None = None,
    ) -> list[list[Hit]]:
        self.gate.wait(timeout=10)
        self.batches.append(list(queries))
        self.threads.add(threading.current_thread().name)
        if "bad" in queries:
            raise RuntimeError("index gone")
        return [[Hit(n, query, str(where), query, 1.0) for n in range(k)] for query in queries]

    def stats(self) -> IndexStats:
        return self._stats

    def version(self) -> int:
        return self.changes

    def close(self) -> None:
        self.closed += 1


async def test_concurrent_queries_go_in_one_batch_and_equal_ones_once() -> None:
    index = EchoIndex()
    with AsyncSearcher(index) as searcher:
        results = await asyncio.gather(*(searcher.search(f"q{n % 5}", 2) for n in range(20)))
    assert [hits[0].key for hits in results] == [f"q{n % 5}" for n in range(20)]
    assert index.batches == [["q0", "q1", "q2", "q3", "q4"]]
    assert (searcher.counts.misses, searcher.counts.hits, searcher.counts.batches) == (5, 15, 1)
    assert all(name.startswith("karl-search") for name in index.threads)


async def test_different_k_and_full_batches_are_split() -> None:
    index = EchoIndex()
    with AsyncSearcher(index, max_batch=3) as searcher:
        results = await asyncio.gather(*(searcher.search(f"q{n}", 1 + n % 2) for n in range(8)))
    assert [len(hits) for hits in results] == [1, 2] * 4
    assert sorted(map(len, index.batches)) == [1, 1, 3, 3]


async def test_filters_go_in_batches_of_their_own_and_equal_ones_once() -> None:
    index = EchoIndex()
    with AsyncSearcher(index) as searcher:
        asked = [None, {"year": 2018}, {"year": ["2018"]}, {"year": 2019}]
        results = await asyncio.gather(*(searcher.search(q, 1, where) for q in ("a", "b") for where in asked))
        assert await searcher.search("b", 1, {"year": "2018"}) == results[5]
    assert index.batches == [["a", "b"]] * 3
    assert [hits[0].title for hits in results[:4]] == [str(SearchFilter.of(where)) for where in asked]
    assert (searcher.counts.misses, searcher.counts.hits) == (6, 3)


async def test_answers_are_cached_and_callers_may_change_their_list() -> None:
    index = EchoIndex()
    with AsyncSearcher(index, cache_size=2) as searcher:
        (await searcher.search("a", 1)).clear()
        assert len(await searcher.search("a", 1)) == 1
        await searcher.search("b", 1)
        await searcher.search("c", 1)
        await searcher.search("a", 1)
    assert index.batches == [["a"], ["b"], ["c"], ["a"]]


async def test_what_a_changed_index_answered_before_is_forgotten() -> None:
    index = EchoIndex()
    with AsyncSearcher(index) as searcher:
        for changes in (0, 0, 1, 1):
            index.changes = changes
            await searcher.search("a", 1)
    assert index.batches == [["a"], ["a"]]


async def test_a_small_bm25_index_is_searched_inline() -> None:
    index = EchoIndex(vectors=0)
    searcher = AsyncSearcher(index)
    assert len(await searcher.search("a", 3)) == 3
    assert index.threads == {threading.main_thread().name}
    assert not EchoIndex(vectors=0, chunks=100_000).stats().instant


async def test_a_failure_reaches_those_who_wait_and_is_not_cached() -> None:
    index = EchoIndex()
    with AsyncSearcher(index) as searcher:
        results = await asyncio.gather(*(searcher.search("bad", 1) for _ in range(2)), return_exceptions=True)
        assert [str(result) for result in results] == ["index gone", "index gone"]
        with pytest.raises(RuntimeError):
            await searcher.search("bad", 1)
        assert len(await searcher.search("good", 1)) == 1
    assert index.batches == [["bad"], ["bad"], ["good"]]


async def test_a_cancelled_caller_leaves_the_answer_to_the_others() -> None:
    index = EchoIndex()
    index.gate.clear()
    with AsyncSearcher(index) as searcher:
        first = asyncio.create_task(searcher.search("q", 1))
        second = asyncio.create_task(searcher.search("q", 1))
        await asyncio.sleep(0.02)
        first.cancel()
        index.gate.set()
        assert len(await second) == 1
        with pytest.raises(asyncio.CancelledError):
            await first
    assert index.batches == [["q"]]


def test_one_searcher_serves_one_event_loop_after_another() -> None:
    index = EchoIndex()
    with AsyncSearcher(index, cache_size=0) as searcher:
        for _ in range(2):
            assert len(asyncio.run(searcher.search("q", 1))) == 1
    assert index.batches == [["q"], ["q"]]


def test_a_loop_that_was_torn_down_in_the_middle_leaves_nothing_behind() -> None:
    index = EchoIndex()

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(searcher.search("q", 1), timeout=0.02)

    with AsyncSearcher(index, cache_size=0, wait_seconds=0.2) as searcher:
        asyncio.run(give_up())
        assert len(asyncio.run(searcher.search("q", 1))) == 1


def test_a_searcher_closes_its_own_index_alone() -> None:
    own, shared = EchoIndex(), EchoIndex()
    with AsyncSearcher(own), AsyncSearcher(shared, owned=False):
        assert (own.closed, shared.closed) == (0, 0)
    assert (own.closed, shared.closed) == (1, 0)


async def test_an_answer_of_an_older_index_is_neither_kept_nor_shared() -> None:
    index = EchoIndex()
    with AsyncSearcher(index, inline=False) as searcher:
        index.gate.clear()
        first = asyncio.ensure_future(searcher.search("harbor"))
        await asyncio.sleep(0.1)  # it is being searched
        index.changes += 1
        second = asyncio.ensure_future(searcher.search("harbor"))
        await asyncio.sleep(0.1)
        index.gate.set()
        await asyncio.gather(first, second)
        assert index.batches == [["harbor"], ["harbor"]]
        await searcher.search("harbor")
        assert len(index.batches) == 2  # the second answer was kept
        index.gate.clear()
        third = asyncio.ensure_future(searcher.search("lighthouse"))
        await asyncio.sleep(0.1)
        index.changes += 1
        fourth = asyncio.ensure_future(searcher.search("beacon"))
        await asyncio.sleep(0.1)
        index.gate.set()
        await asyncio.gather(third, fourth)
        await searcher.search("lighthouse")
        assert index.batches[-1] == ["lighthouse"]
