"""Whoever opened an index on Weaviate closes it, against a wire-level DOUBLE of the server (`weaviate_double`)."""

from __future__ import annotations

import asyncio
import gc
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("weaviate")

from store.errors import KarlError, UsageError
from store.session import Store
from store.vectors.batching import AsyncSearcher
from store.vectors.weaviate_link import describe
from tests.store.test_vectors import HashEmbedder
from tests.store.weaviate_double import WeaviateDouble
from tests.store.weaviate_kit import beside, found, ingested, link_to, opened


@contextmanager
def nothing_left_open(double: WeaviateDouble) -> Iterator[None]:
    """The client warns of a connection that is dropped; the server counts those that are kept."""
    gc.collect()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", ResourceWarning)
        yield
        gc.collect()
    assert [str(one.message) for one in said if "Weaviate was not closed" in str(one.message)] == []
    until = time.monotonic() + 5
    while double.connections and time.monotonic() < until:
        time.sleep(0.01)
    assert double.connections == 0


def test_an_index_lets_go_and_may_be_used_again(store: Store, notes: Path, double: WeaviateDouble) -> None:
    with nothing_left_open(double):
        index = opened(store, double)
        assert found(index, "slow train", k=1) == ["trip.md#0"]
        assert double.connections > 0
        index.close()
        index.close()
    with nothing_left_open(double):
        assert found(index, "slow train", k=1) == ["trip.md#0"]
        index.close()


def test_an_index_that_could_not_be_opened_leaves_nothing(store: Store, notes: Path, double: WeaviateDouble) -> None:
    with nothing_left_open(double):
        with pytest.raises(UsageError, match="run `karl ingest` again"):
            opened(store, double, rebuild=False)
        double.faults.refuse = lambda _: "no space left on device"
        with pytest.raises(KarlError, match="no space left on device"):
            opened(store, double)
        with pytest.raises(KarlError, match="no gRPC"):
            describe(link_to(double, grpc="127.0.0.1:1", connect_seconds=0.2).settings)


def test_a_searcher_closes_an_index_that_is_its_own(store: Store, notes: Path, double: WeaviateDouble) -> None:
    with nothing_left_open(double):
        index = opened(store, double)
        with AsyncSearcher(index, owned=False) as one, AsyncSearcher(index) as other:
            for searcher in (one, other):
                assert asyncio.run(searcher.search("slow train", 1))[0].key == "trip.md#0"
            open_now = double.connections
            one.close()
            time.sleep(0.1)
            assert double.connections == open_now > 0
            assert asyncio.run(other.search("harbor", 1))


def test_an_index_in_process_may_be_closed_and_used_again(store: Store, notes: Path) -> None:
    index = beside(store)
    index.close()
    index.close()
    assert found(index, "slow train", k=1) == ["trip.md#0"]


def test_what_changes_under_an_open_index_leaves_nothing_open(
    store: Store, notes: Path, double: WeaviateDouble
) -> None:
    with nothing_left_open(double):
        index, other = opened(store, double), HashEmbedder()
        (notes / "food.md").write_text("# Food\n\nFigs.")
        ingested(store, notes)
        opened(store, double, embedder=other).close()
        index.follow()
        assert found(index, "figs", k=1) == ["food.md#0"]
        index.close()
