"""The index on a Weaviate server: `KARL_WEAVIATE_URL=http://host:8080 [KARL_WEAVIATE_KEY=...] [KARL_WEAVIATE_GRPC=...]
pytest tests/store/test_weaviate_real.py`.

The same steps run against the wire-level double, which shows that they run, not that Weaviate takes them; the output
says which it was. Collections are made under a prefix of this run's own, and removed.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

pytest.importorskip("weaviate")

from store.errors import KarlError
from store.search_filter import SearchFilter
from store.session import Store
from store.vectors.base import IndexEntry
from store.vectors.weaviate_lease import Lost
from store.vectors.weaviate_link import describe
from store.vectors.weaviate_lock import _Locks, corpus_lock
from tests.store.test_vectors import HashEmbedder
from tests.store.weaviate_double import WeaviateDouble
from tests.store.weaviate_kit import Server, beside, found, ingested, link_to, opened

URL = os.environ.get("KARL_WEAVIATE_URL", "")
LEASE = 4.0  # seconds: a server may take one to make a collection


class Apart:
    """A server, under a prefix that no other has."""

    def __init__(self, settings: dict[str, Any]) -> None:
        prefix = f"KarlTest{uuid4().hex}"
        self.settings = {**settings, "batch_size": 3, "collection": prefix, "lease_seconds": LEASE}
        self.users = ExitStack()

    def collections(self) -> list[str]:
        names = link_to(self).descriptions()
        return sorted(name for name in names if name.startswith(self.settings["collection"]))

    def clear(self) -> None:
        link = link_to(self)
        for name in self.collections():
            link.drop_collection(name)
        assert self.collections() == []
        self.users.close()


@pytest.fixture(params=["DOUBLE", "Weaviate"])
def server(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Iterator[Apart]:
    with ExitStack() as running:
        if request.param == "DOUBLE":
            apart = Apart(running.enter_context(WeaviateDouble()).settings)
            what = "the wire-level DOUBLE, which is not Weaviate"
        elif URL:
            key, grpc = os.environ.get("KARL_WEAVIATE_KEY", ""), os.environ.get("KARL_WEAVIATE_GRPC", "")
            apart = Apart({"url": URL, "api_key": key, "grpc": grpc})
            what = describe(link_to(apart).settings)
        else:
            pytest.skip("set KARL_WEAVIATE_URL to test against a real server")
        with capsys.disabled():
            sys.stdout.write(f"\n{request.node.name}: on {what}\n")
        running.callback(apart.clear)
        yield apart


def test_it_answers_as_the_index_in_process(store: Store, notes: Path, server: Server) -> None:
    index, other = opened(store, server), beside(store)
    assert index.shelf.count() == index.stats().vectors == other.stats().vectors
    for query in ("harbor budget", "slow train", "euros 40000"):
        assert found(index, query, k=1) == found(other, query, k=1)
    where = SearchFilter.of({"path": "*i*"})
    filtered = [one.search(["harbor budget"], where=where)[0] for one in (index, other)]
    assert {hit.key for hit in filtered[0]} == {hit.key for hit in filtered[1]} == {"mira.md#0", "trip.md#0"}
    assert index.search(["harbor"], where=SearchFilter.of({"path": "nothing"})) == [[]]
    hybrid = opened(store, server, alpha=0.5).search(["slow train"])[0]
    assert hybrid[0].key == "trip.md#0"
    assert hybrid[0].dense_score is not None and hybrid[0].bm25_score is not None


def test_what_changes_is_added_and_deleted(store: Store, notes: Path, server: Server) -> None:
    index = opened(store, server)
    whole = index.shelf.count()
    (notes / "food.md").unlink()
    (notes / "trip.md").write_text("# Trip\n\nWe go to Porto.")  # several passages become one
    ingested(store, notes)
    again = opened(store, server)
    assert "food.md#0" not in found(again, "olives")
    assert found(again, "porto", k=1) == ["trip.md#0"]
    assert again.shelf.count() == again.stats().vectors == beside(store).stats().vectors < whole
    added = again.add([IndexEntry(10**6, "T", "words of another chunk")])
    assert (added.chunks, again.shelf.count()) == (4, added.vectors)
    again.add([IndexEntry(10**6, "T", "the same chunk, said otherwise")])
    assert again.shelf.count() == added.vectors
    left = again.delete([10**6, 10**7])
    assert (left.chunks, again.shelf.count()) == (3, left.vectors)
    index.follow()
    assert index.stats() == left


def test_corpora_are_tenants_of_a_collection(store: Store, notes: Path, server: Apart, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "ship.md").write_text("# Ship\n\nThe ferry leaves the harbor at noon.")
    ingested(store, tmp_path / "more", corpus="more/of them")
    with ThreadPoolExecutor(2) as threads:  # neither waits for the other, and both make the collection
        first, second = threads.map(lambda name: opened(store, server, corpus=name), ("notes", "more/of them"))
    assert first.shelf.place.collection == second.shelf.place.collection
    assert found(second, "harbor") == ["ship.md#0"]
    assert "ship.md#0" not in found(first, "ferry at noon")
    first.delete(range(10**4))
    assert (first.shelf.count(), second.shelf.count()) == (0, second.stats().vectors)
    other = HashEmbedder()
    other.fingerprint = "another"
    assert found(opened(store, server, corpus="more/of them", embedder=other), "ferry", k=1) == ["ship.md#0"]
    assert len(server.collections()) == 3  # one for each embedder, and the manifests


def test_an_index_that_was_closed_connects_again(store: Store, notes: Path, server: Server) -> None:
    index = opened(store, server)
    before = index.search(["slow train"])
    index.close()
    index.close()
    assert index.search(["slow train"]) == before
    assert opened(store, server, rebuild=False).search(["slow train"]) == before


def test_of_many_that_ask_for_the_lock_one_gets_it(server: Apart) -> None:
    start, done = threading.Barrier(6), threading.Barrier(6)

    def one(_: int) -> bool:
        locks = _Locks(link_to(server), "notes")
        locks._newest()  # connected
        start.wait()
        try:
            lease = locks.acquired(0)
        except KarlError as exc:
            assert "is being written by process" in str(exc)
            done.wait()
            return False
        with lease:
            done.wait()
            lease.renew()
            return True

    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(one, range(6))) == 1
    assert server.collections() == []


def test_a_writer_that_is_silent_is_followed_and_hears_it(store: Store, notes: Path, server: Apart) -> None:
    silent = _Locks(link_to(server), "notes").acquired(0)  # not entered: nobody renews it
    began = time.monotonic()
    with corpus_lock(link_to(server), "notes", wait_seconds=60):
        assert time.monotonic() - began > LEASE
        with pytest.raises(Lost, match="no longer holds the lock"):
            silent.check()
        assert len(server.collections()) == 1
    assert server.collections() == []


def test_a_writer_that_works_on_keeps_the_lock(server: Apart) -> None:
    with corpus_lock(link_to(server), "notes", wait_seconds=0) as lease:
        with pytest.raises(KarlError, match="is being written by process"):
            _Locks(link_to(server), "notes").acquired(1.5 * LEASE)
        lease.check()
    assert server.collections() == []
