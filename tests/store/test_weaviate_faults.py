"""What a Weaviate server may do to an import or a search, shown by a wire-level DOUBLE of it (`weaviate_double`).

What it refuses, object by object, and what it loses without a word is in `test_weaviate.py`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("weaviate")

import grpc

from store.errors import KarlError
from store.session import Store
from store.vectors.base import IndexEntry
from tests.store.test_weaviate import Wider, chunks
from tests.store.weaviate_double import Stored, WeaviateDouble
from tests.store.weaviate_kit import beside, found, ingested, opened

CODES = [grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED]


def whole(store: Store, double: WeaviateDouble) -> bool:
    """Every passage of every chunk once."""
    there = chunks(double)
    return len(there) == len(set(there)) == beside(store).stats().vectors


def at_the_second_batch(double: WeaviateDouble, act: Callable[[], None]) -> None:
    done = threading.Event()

    def acts(_: Stored) -> str | None:
        if double.inserted and not done.is_set():
            done.set()
            threading.Thread(target=act).start()
            time.sleep(0.1)
        return None

    double.faults.refuse = acts


def test_a_restart_in_the_middle_of_an_import(store: Store, notes: Path, double: WeaviateDouble) -> None:
    restarted = threading.Event()

    def restart() -> None:
        double.stop()
        time.sleep(0.5)
        double.start()
        restarted.set()

    at_the_second_batch(double, restart)
    index = opened(store, double, batch_size=2, retries=5, backoff_seconds=0.1)
    assert restarted.wait(5)
    assert whole(store, double)
    assert index.search(["slow train"])[0][0].key == "trip.md#0"
    assert double.locks() == []


def test_a_server_that_goes_in_the_middle_of_an_import_and_stays_away(
    store: Store, notes: Path, double: WeaviateDouble
) -> None:
    at_the_second_batch(double, double.stop)
    with pytest.raises(KarlError, match=r"does not answer: .*; is it running\? karl doctor"):
        opened(store, double, batch_size=2, retries=0, lease_seconds=1.0)
    taken = len(double.objects())
    assert 0 < taken < beside(store).stats().vectors
    double.start()
    assert len(double.locks()) == 1  # it could not be given back, and runs out
    double.inserted.clear()
    assert found(opened(store, double), "slow train", k=1) == ["trip.md#0"]
    assert whole(store, double)
    assert double.locks() == []


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)
def test_a_batch_that_was_stored_and_not_answered_is_not_doubled(
    store: Store, notes: Path, double: WeaviateDouble, code: grpc.StatusCode
) -> None:
    double.faults.after = [None, code, None, code]  # lock; manifest; a batch of the import; the next
    index = opened(store, double)
    assert double.faults.after == []
    assert len(double.inserted) > len(double.objects())  # some came twice
    assert whole(store, double)
    assert index.stats() == beside(store).stats()._replace(kind="weaviate", remote=True)


def test_a_deletion_that_was_done_and_not_answered_is_asked_again(
    store: Store, notes: Path, double: WeaviateDouble
) -> None:
    index = opened(store, double)
    gone = index.search(["olives"])[0][0].chunk_id
    double.faults.after = [None, None, grpc.StatusCode.DEADLINE_EXCEEDED]  # lock; manifest; the deletion
    assert index.delete([gone]).chunks == 3
    assert double.faults.after == []
    assert gone not in {chunk for chunk, _ in chunks(double)}


def test_an_import_into_a_server_that_is_slower_than_its_limit(
    store: Store, notes: Path, double: WeaviateDouble
) -> None:
    """Each batch is stored after the client has left; it comes again, and again."""
    double.faults.seconds = 0.6
    with pytest.raises(KarlError, match=r"does not answer: .*Deadline Exceeded.*; is it running\? karl doctor"):
        opened(store, double, insert_seconds=0.2, retries=1)
    double.faults.seconds = 0.0
    time.sleep(1)  # for what is still under way there
    opened(store, double)
    assert whole(store, double)
    assert double.locks() == []


def test_a_search_that_is_slower_than_its_limit(store: Store, notes: Path, double: WeaviateDouble) -> None:
    index = opened(store, double, query_seconds=0.3, retries=1)
    double.faults.seconds = 1.0
    began = time.monotonic()
    with pytest.raises(KarlError, match=r"does not answer: .*Deadline Exceeded.*; is it running\? karl doctor"):
        index.search(["slow train"])
    assert time.monotonic() - began < 5
    double.faults.seconds = 0.0
    assert found(index, "slow train", k=1) == ["trip.md#0"]


def test_a_server_that_is_slow_to_say_that_it_is_ready(store: Store, notes: Path, double: WeaviateDouble) -> None:
    double.faults.http_seconds = 1.0
    with pytest.raises(KarlError, match=r"does not answer: timed out; is it running\? karl doctor"):
        opened(store, double, connect_seconds=0.2, retries=1)
    double.faults.http_seconds = 0.05
    assert found(opened(store, double), "slow train", k=1) == ["trip.md#0"]


@pytest.mark.parametrize("act", ["build", "add"])
def test_vectors_of_another_length_change_nothing(store: Store, notes: Path, double: WeaviateDouble, act: str) -> None:
    opened(store, double)
    index = opened(store, double, rebuild=False, embedder=Wider())
    before, calls = chunks(double), double.calls.count("BatchObjects")
    with pytest.raises(KarlError, match=r"gives 128 numbers, the index of 'notes' on Weaviate has 64"):
        getattr(index, act)([IndexEntry(10**6, "T", "words of another chunk")])
    assert (chunks(double), double.calls.count("BatchObjects")) == (before, calls)
    assert opened(store, double, rebuild=False).stats().chunks == 4  # still complete


def test_a_batch_of_which_some_objects_are_refused(store: Store, notes: Path, double: WeaviateDouble) -> None:
    """What the others are is kept, the index is not called whole, and the next import sends what is missing."""
    last = max(chunk for chunk in beside(store).texts.get(range(1, 10)))
    double.faults.refuse = lambda one: "too many tombstones" if one.properties["chunk"] == last else None
    with pytest.raises(
        KarlError, match=rf"refused \d of \d objects of .*: chunk {last} passage 0: too many tombstones"
    ):
        opened(store, double)
    assert last not in {chunk for chunk, _ in chunks(double)}
    with pytest.raises(KarlError, match="missing or older than the corpus: run `karl ingest` again"):
        opened(store, double, rebuild=False)
    double.faults.refuse = lambda _: None
    kept = {one.uuid for one in double.objects()}
    double.inserted.clear()
    opened(store, double)
    assert whole(store, double)
    assert kept.isdisjoint(double.inserted)


def test_a_document_that_changed_while_the_server_was_away_is_made_good(
    store: Store, notes: Path, double: WeaviateDouble
) -> None:
    opened(store, double)
    (notes / "food.md").write_text("# Food\n\nFigs.")
    ingested(store, notes)
    double.stop()
    with pytest.raises(KarlError, match="does not answer"):
        opened(store, double, retries=0, connect_seconds=0.5)
    double.start()
    assert found(opened(store, double), "figs", k=1) == ["food.md#0"]
    assert whole(store, double)
