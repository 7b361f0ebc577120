"""One writer of a corpus on Weaviate at a time, against a wire-level DOUBLE of the server (`weaviate_double`)."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("weaviate")

from store.errors import KarlError
from store.session import Store
from store.vectors.base import IndexEntry
from store.vectors.weaviate_lease import Lost
from store.vectors.weaviate_lock import Standing, _Locks, corpus_lock
from tests.store.weaviate_double import WeaviateDouble
from tests.store.weaviate_kit import found, ingested, link_to, opened

WRITER = r"process \d+ on \S+ since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"


@contextmanager
def writer(store: Store, double: WeaviateDouble, **changes: object) -> Iterator[subprocess.Popen[str]]:
    """Another process, which holds the lock and is about to embed."""
    settings = json.dumps({**double.settings, **changes})
    command = [sys.executable, "-m", "tests.store.weaviate_writer", str(store.engine.url), settings]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "embedding\n"
        try:
            yield process
        finally:
            process.kill()


def dead(double: WeaviateDouble, **changes: object) -> None:
    """The lock of a writer that is gone without a word: nobody renews it."""
    _Locks(link_to(double, **changes), "notes").acquired(0)


def test_the_second_writer_hears_who_the_first_is_and_a_search_asks_nobody(
    store: Store, notes: Path, double: WeaviateDouble
) -> None:
    index = opened(store, double)
    assert double.locks() == []
    sent = len(double.inserted)
    (notes / "food.md").write_text("# Food\n\nFigs.")
    with corpus_lock(link_to(double), "notes", wait_seconds=0):
        assert len(double.locks()) == 1
        assert found(index, "slow train", k=1) == ["trip.md#0"]
        assert found(opened(store, double, rebuild=False), "slow train", k=1) == ["trip.md#0"]
        ingested(store, notes)
        said = rf"the index of corpus 'notes' is being written by {WRITER}; wait for it or stop it \(one that was"
        with pytest.raises(KarlError, match=said):
            opened(store, double, wait_seconds=0)
        assert len(double.inserted) == sent
    assert found(opened(store, double, wait_seconds=0), "figs", k=1) == ["food.md#0"]
    assert double.locks() == []


def test_another_corpus_and_another_prefix_are_written_at_once(double: WeaviateDouble) -> None:
    with (
        corpus_lock(link_to(double), "notes", wait_seconds=0),
        corpus_lock(link_to(double), "Notes", wait_seconds=0),
        corpus_lock(link_to(double, collection="Second"), "notes", wait_seconds=0),
    ):
        assert len(double.locks()) == 3


def test_two_that_ingest_at_once_write_once(store: Store, notes: Path, double: WeaviateDouble) -> None:
    with ThreadPoolExecutor(2) as threads:
        indexes = list(threads.map(lambda _: opened(store, double), range(2)))
    assert len(double.inserted) == len(double.objects()) == indexes[0].stats().vectors == indexes[1].stats().vectors
    assert [index.manifest.revision for index in indexes] == [1, 1]  # the second found it made


@pytest.mark.parametrize("act", ["build", "add", "delete"])
def test_every_change_of_an_index_takes_the_lock(store: Store, notes: Path, double: WeaviateDouble, act: str) -> None:
    index = opened(store, double)
    entry = IndexEntry(10**6, "T", "words of another chunk")
    change = {
        "build": lambda: index.build([entry]),
        "add": lambda: index.add([entry]),
        "delete": lambda: index.delete([1]),
    }
    calls = len(double.calls)
    with ThreadPoolExecutor(1) as threads, corpus_lock(link_to(double), "notes", wait_seconds=0):
        changing = threads.submit(change[act])
        time.sleep(0.5)
        assert not changing.done() and "BatchDelete" not in double.calls[calls:]
        assert "BatchObjects" not in double.calls[calls + 1 :]  # the lock's own object
    assert changing.done() and changing.exception() is None
    assert index.stats().chunks == {"build": 1, "add": 5, "delete": 3}[act]
    assert double.locks() == []


def test_an_index_writes_on_from_what_the_last_writer_left(store: Store, notes: Path, double: WeaviateDouble) -> None:
    first, second = opened(store, double), opened(store, double)
    first.add([IndexEntry(10**6, "T", "words of another chunk")])
    second.add([IndexEntry(10**6 + 1, "T", "and one more")])
    assert second.manifest.revision == first.manifest.revision + 1
    assert second.stats().chunks == 6


def test_of_many_that_ask_at_once_one_gets_it(double: WeaviateDouble) -> None:
    for _ in range(5):
        start, done = threading.Barrier(6), threading.Barrier(6)

        def one(start: threading.Barrier = start, done: threading.Barrier = done) -> bool:
            locks = _Locks(link_to(double), "notes")
            locks._newest()  # connected
            start.wait()
            try:
                lease = locks.acquired(0)
            except KarlError:
                done.wait()
                return False
            with lease:
                done.wait()
                lease.renew()  # those that came too late left it alone
                return True

        with ThreadPoolExecutor(6) as threads:
            asked = [threads.submit(one) for _ in range(6)]
        assert sum(future.result() for future in asked) == 1
        assert double.locks() == []


def test_a_silent_writer_is_followed_by_one_at_a_time(double: WeaviateDouble) -> None:
    dead(double, lease_seconds=1.0)
    started, inside, most = time.monotonic(), [0], []

    def one(_: int) -> float:
        with corpus_lock(link_to(double), "notes", wait_seconds=60):
            inside[0] += 1
            most.append(inside[0])
            time.sleep(0.05)
            inside[0] -= 1
            return time.monotonic() - started

    with ThreadPoolExecutor(4) as threads:
        took = list(threads.map(one, range(4)))
    assert most == [1] * 4
    assert min(took) > 1.0  # the lease of the first, by the clock of who waits
    assert double.locks() == []


def test_a_writer_that_works_for_longer_than_its_lease_keeps_it(double: WeaviateDouble) -> None:
    with (
        corpus_lock(link_to(double, lease_seconds=1.5), "notes", wait_seconds=0) as lease,
        pytest.raises(KarlError, match="is being written"),
    ):
        _Locks(link_to(double), "notes").acquired(4)
    assert lease._beat >= 5
    assert double.locks() == []


def test_a_writer_that_came_back_is_not_followed(double: WeaviateDouble) -> None:
    dead(double)
    locks, (name,) = _Locks(link_to(double), "notes"), double.locks()
    seen = locks._newest()
    assert seen is not None and (seen.number, seen.beat) == (1, 0)
    (counted,) = double.tenants[name][""].values()
    counted.properties["beat"] = 1
    assert locks._claim(seen) is None
    assert double.locks() == [name]
    # One who looked at a lock that was released meanwhile, and taken again.
    assert locks._claim(Standing(1, None, 0)) is None
    assert locks._claim(Standing(5, None, None)) is None
    assert locks._claim(None) is None
    assert double.locks() == [name]


def test_a_lock_that_is_followed_is_lost_before_its_writer_counts_on_it(double: WeaviateDouble) -> None:
    with corpus_lock(link_to(double, lease_seconds=60.0), "notes", wait_seconds=0) as lease:
        (name,) = double.locks()
        following = double.schema[f"{name[:-1]}2"] = {"class": f"{name[:-1]}2"}
        with pytest.raises(Lost, match=r"no longer holds the lock of corpus 'notes': .*: run `karl ingest` again"):
            lease.renew()
        with pytest.raises(Lost):
            lease.call(lambda _: pytest.fail("nothing is written without the lock"))
    assert double.locks() == [name, following["class"]]  # neither is ours to remove any more


def test_a_lock_that_somebody_removed_is_lost(double: WeaviateDouble) -> None:
    with corpus_lock(link_to(double), "notes", wait_seconds=0) as lease:
        (name,) = double.locks()
        del double.schema[name], double.tenants[name]
        with pytest.raises(Lost):
            lease.renew()
    assert double.locks() == []


def test_a_process_that_stalled_writes_nothing_more(store: Store, notes: Path, double: WeaviateDouble) -> None:
    with writer(store, double, lease_seconds=1.0) as stalled:
        stalled.send_signal(signal.SIGSTOP)
        index = opened(store, double)
        before, revision = list(double.inserted), index.manifest.revision
        stalled.send_signal(signal.SIGCONT)
        said, _ = stalled.communicate("\n")
    assert said.startswith("Lost: Weaviate at ")
    assert double.inserted == before
    index.follow()
    assert (index.manifest.revision, index.manifest.complete) == (revision, True)
    assert double.locks() == []


def test_a_process_that_stalled_goes_on_where_nobody_followed(
    store: Store, notes: Path, double: WeaviateDouble
) -> None:
    with writer(store, double, lease_seconds=1.0) as stalled:
        stalled.send_signal(signal.SIGSTOP)
        time.sleep(1.2)
        stalled.send_signal(signal.SIGCONT)
        said, _ = stalled.communicate("\n")
    assert said == "written\n"
    assert len(double.inserted) == len(double.objects()) > 4


def test_ctrl_c_gives_the_lock_back_and_a_kill_leaves_it_to_run_out(
    store: Store, notes: Path, double: WeaviateDouble
) -> None:
    with writer(store, double, lease_seconds=60.0) as interrupted:
        assert len(double.locks()) == 1
        interrupted.send_signal(signal.SIGINT)
        said, _ = interrupted.communicate()
    assert said == "KeyboardInterrupt: \n"
    assert double.locks() == []
    with writer(store, double, lease_seconds=1.0) as killed:
        killed.kill()
    assert len(double.locks()) == 1
    with pytest.raises(KarlError, match="is being written by process"):
        opened(store, double, wait_seconds=0)
    assert found(opened(store, double), "slow train", k=1) == ["trip.md#0"]
    assert double.locks() == []


def test_the_lock_is_given_back_after_a_failure(store: Store, notes: Path, double: WeaviateDouble) -> None:
    double.faults.refuse = lambda _: "no space left on device"
    with pytest.raises(KarlError, match="no space left"):
        opened(store, double)
    assert double.locks() == []


def test_a_lock_whose_making_was_not_answered_is_ours(double: WeaviateDouble) -> None:
    unanswered: list[str] = []
    double.faults.lose_made = lambda name: not unanswered.append(name) and len(unanswered) == 1
    with corpus_lock(link_to(double), "notes", wait_seconds=0):
        assert double.locks() == unanswered
    assert double.locks() == []


def test_a_server_that_was_away_for_longer_than_a_lease_leaves_the_lock(double: WeaviateDouble) -> None:
    with corpus_lock(link_to(double, lease_seconds=0.3, retries=0), "notes", wait_seconds=0) as lease:
        double.stop()
        time.sleep(0.3)
        with pytest.raises(KarlError, match="does not answer"):
            lease.check()
        double.start()
        lease.check()
        assert len(double.locks()) == 1
    assert double.locks() == []


def test_a_server_that_makes_no_lock_says_why(double: WeaviateDouble) -> None:
    refused: Callable[[dict[str, object]], bool] = lambda _: False  # noqa: E731
    double.make = refused
    with pytest.raises(KarlError, match=r"class name Karl_lock_\w+_1 already exists"):
        _Locks(link_to(double), "notes").acquired(0)


def test_two_corpora_that_make_the_collection_they_share_at_once(
    store: Store, notes: Path, double: WeaviateDouble
) -> None:
    first = opened(store, double)
    shared = first.shelf.place.collection
    double.tenants[shared].clear()
    del double.tenants["Karl_manifests"], double.schema["Karl_manifests"]
    double.make({"class": "Karl_manifests"})
    double.faults.unseen = [shared, "Karl_manifests", "Karl_manifests"]
    assert opened(store, double).stats() == first.stats()
