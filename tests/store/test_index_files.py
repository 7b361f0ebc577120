"""Faults of an index on disk: each file cut short or with a bit turned, a full disk, writers that are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType

import numpy as np
import pytest

from store.corpus import CorpusSettings, ingest
from store.errors import KarlError
from store.search_filter import SearchFilter
from store.session import Store
from store.vectors import files as index_files
from store.vectors import library, manifest
from store.vectors.base import IndexEntry
from store.vectors.condition import index_condition
from store.vectors.dense import Dense
from store.vectors.files import IndexFiles
from store.vectors.library import documents_changed, index_folder, open_index
from store.vectors.manifest import Contents, Identity
from store.vectors.segments import Segment
from store.vectors.snapshot import Snapshot
from store.vectors.write_lock import BeingWritten, write_lock
from tests.store.test_vectors import HashEmbedder

IDENTITY = Identity(format=manifest.FORMAT, corpus="c", embedder="hash", embedder_fingerprint="1")
NO_VECTORS = Identity(format=manifest.FORMAT, corpus="n", embedder="none", embedder_fingerprint="")


def saved(folder: Path, *, count: int = 40, dead: int = 3) -> tuple[IndexFiles, Contents]:
    """Two segments with vectors, some of it dead."""
    folder.mkdir(parents=True)
    entries = [IndexEntry(n, "", f"word{n % 5} harbor {n}") for n in range(count)]
    segment = Segment.build(entries[:-4], embedder=HashEmbedder(), progress=None)
    added = Segment.build(entries[-4:], embedder=HashEmbedder(), progress=None)
    files = IndexFiles(folder, IDENTITY)
    contents = Contents(np.arange(dead, count), np.arange(dead, count).astype(np.uint64))
    files.save(Snapshot([segment]).changed(added, gone=range(dead)), contents)
    return files, contents


def every_file() -> Iterator[str]:
    names = ("words_T", "starts_T", "docs_P", "counts_P", "lengths_D")
    yield from (f"words/{name}.npy" for name in names)
    yield from ("ids.npy", "dead-3.npy", "lost-3.npy", "dense/owners.npy", "dense/flat.vectors")


def test_what_is_saved_is_loaded_and_the_old_goes(tmp_path: Path) -> None:
    files, contents = saved(tmp_path / "i")
    found = IndexFiles(tmp_path / "i", IDENTITY).load(digest=contents.digest())
    assert found is not None
    assert [(len(s.ids_N), s.dead) for s in found.segments] == [(36, 3), (4, 0)]
    assert found.rank_words(["word3 harbor"], k=40)[0].ids.tolist()[:2] == [3, 8]
    held = files.contents()
    assert held is not None and held.ids_N.tolist() == list(range(3, 40))
    before = {path.name for path in (tmp_path / "i").iterdir()}
    files.save(found.compact(), contents)
    after = {path.name for path in (tmp_path / "i").iterdir()}
    assert len(after) == 3 and after & before == {"manifest.json", "contents-" + contents.digest()[:16] + ".npy"}
    assert files.load(digest="of something else") is None
    assert IndexFiles(tmp_path / "i", IDENTITY.model_copy(update={"embedder": "x"})).load() is None


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "gone"])
@pytest.mark.parametrize("name", every_file())
def test_each_damaged_file_is_noticed(tmp_path: Path, name: str, damage: str) -> None:
    files, _ = saved(tmp_path / "i")
    first = files.load()
    assert first is not None
    path = tmp_path / "i" / first.segments[0].name / name
    data = bytearray(path.read_bytes())
    data[-1] ^= 4
    path.unlink() if damage == "gone" else path.write_bytes(
        {"cut": data[:-1], "flipped": bytes(data), "empty": b""}[damage]
    )
    assert IndexFiles(tmp_path / "i", IDENTITY).load() is None


def test_of_a_large_index_sizes_are_checked_at_once_and_the_rest_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(tmp_path / "i")
    monkeypatch.setattr(manifest, "READ_WHOLE", 0)
    monkeypatch.setattr(manifest, "SMALL", 0)
    path = next((tmp_path / "i").glob("*/dense/flat.vectors"))
    data = bytearray(path.read_bytes())
    data[-1] ^= 4
    path.write_bytes(data)
    assert IndexFiles(tmp_path / "i", IDENTITY).load() is not None
    assert IndexFiles(tmp_path / "i", IDENTITY).load(thorough=True) is None
    path.write_bytes(data[:-4])
    assert IndexFiles(tmp_path / "i", IDENTITY).load() is None


def test_a_reader_sees_what_a_writer_adds_between_two_searches(tmp_path: Path) -> None:
    files, _ = saved(tmp_path / "i")
    reader = IndexFiles(tmp_path / "i", IDENTITY)
    seen = reader.load()
    assert seen is not None and reader.newer() is None
    added = Segment.build([IndexEntry(99, "", "lighthouse")], embedder=HashEmbedder(), progress=None)
    before = files.load()
    assert before is not None
    files.save(before.changed(added, gone=[5]), Contents(np.array([99]), np.array([1], dtype=np.uint64)))
    newer = reader.newer()
    assert newer is not None and reader.newer() is None
    assert newer.rank_words(["lighthouse"], k=3)[0].ids.tolist() == [99]
    assert newer.segments[1] is seen.segments[1]
    assert seen.rank_words(["harbor 5"], k=40)[0].ids.tolist()[0] == 5
    (tmp_path / "i" / "manifest.json").write_bytes(b"{")
    assert reader.newer() is None


def test_a_searcher_follows_the_index_and_the_store(store: Store, tmp_path: Path) -> None:
    (tmp_path / "n").mkdir()
    for n in range(12):
        (tmp_path / "n" / f"{n}.md").write_text(f"harbor {n}")
    ingest(store, tmp_path / "n", name="n")
    server = open_index(store, "n", home=tmp_path)
    version = server.version()
    (tmp_path / "n" / "new.md").write_text("lighthouse")
    (tmp_path / "n" / "3.md").write_text("harbor changed")
    ingest(store, tmp_path / "n", name="n")
    assert server.search(["lighthouse"]) == [[]]
    other = open_index(store, "n", home=tmp_path)
    assert [hit.key for hit in server.search(["lighthouse"])[0]] == ["new.md#0"]
    assert server.search(["harbor changed"]) == other.search(["harbor changed"])
    assert server.search(["changed"])[0][0].text == "harbor changed"
    assert (server.version(), server.version()) == (version + 1, version + 1)
    assert [len(segment.ids_N) for segment in other.snapshot.segments] == [12, 2]


def test_who_opens_while_another_writes_has_the_index_as_it_was(store: Store, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "a.md").write_text("harbor")
    ingest(store, notes, name="n", settings=CorpusSettings(embedder="none"))
    with write_lock(index_folder(tmp_path, "n") / "write.lock", wait_seconds=0), pytest.raises(BeingWritten):
        open_index(store, "n", home=tmp_path, wait_seconds=0)  # there is none yet
    open_index(store, "n", home=tmp_path)
    (notes / "b.md").write_text("harbor lighthouse")
    ingest(store, notes, name="n")
    with write_lock(index_folder(tmp_path, "n") / "write.lock", wait_seconds=0):
        index = open_index(store, "n", home=tmp_path, wait_seconds=60)
        assert [hit.key for hit in index.search(["harbor"])[0]] == ["a.md#0"]
        with pytest.raises(BeingWritten, match=f"being written by process {os.getpid()} since"):
            open_index(store, "n", home=tmp_path, wait_seconds=0, current=True)
    open_index(store, "n", home=tmp_path, current=True)
    assert len(index.search(["harbor"])[0]) == 2


def test_open_indexes_follow_what_documents_say_of_themselves(store: Store, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    where = SearchFilter.of({"year": 2019})
    (notes / "a.md").write_text("---\nyear: 2018\n---\nharbor")
    ingest(store, notes, name="n", settings=CorpusSettings(embedder="none"))
    index = open_index(store, "n", home=tmp_path)
    assert index.search(["harbor"], where=where) == [[]]
    (notes / "a.md").write_text("---\nyear: 2019\n---\nharbor")
    ingest(store, notes, name="n")
    version = index.version()
    documents_changed(tmp_path, "n")
    assert index.version() != version
    assert [hit.metadata["year"] for hit in index.search(["harbor"], where=where)[0]] == [2019]


def test_a_disk_that_stays_full_gets_no_fuller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each try writes its segment, and finds no room for the manifest."""
    folder = tmp_path / "i"
    (folder / "other corpus").mkdir(parents=True)
    index = IndexFiles(folder, IDENTITY)

    def segment() -> Segment:
        return Segment.build([IndexEntry(1, "", "harbor")], embedder=None, progress=None)

    contents = Contents(np.arange(1), np.zeros(1, dtype=np.uint64))
    index.save(Snapshot([segment()]), contents)
    kept = sorted(path.name for path in folder.iterdir())

    def full(*_: object) -> None:
        (folder / f".manifest.json.{os.getpid()}").write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(index_files, "write_json", full)
    for _ in range(3):
        with pytest.raises(KarlError, match="No space left"):
            index.save(Snapshot([segment()]), contents)
        assert sorted(path.name for path in folder.iterdir()) == kept


def test_names_that_no_file_system_takes_are_hashed() -> None:
    long, longer = "\u6e2f" * 60, "\u6e2f" * 61
    assert index_folder("h", long) != index_folder("h", longer)
    assert all(len(index_folder("h", name).name) == 255 for name in (long, longer))
    assert index_folder("h", "a/b.c").name == "a%2Fb%2Ec"


def test_readers_in_other_threads_see_one_generation_or_the_next(tmp_path: Path) -> None:
    """A process replaces all chunks again and again; who reads meanwhile never sees a mixture, nor nothing."""
    folder, count, last = tmp_path / "i", 12, 25
    names = [chr(ord("a") + n) * 5 for n in range(last)]
    folder.mkdir()

    def generation(n: int) -> Segment:
        entries = [IndexEntry(m, "", f"harbor {names[n]}") for m in range(count)]
        return Segment.build(entries, embedder=HashEmbedder(), progress=None)

    def write() -> None:
        files = IndexFiles(folder, IDENTITY)
        for n in range(1, last):
            with write_lock(files.lock, wait_seconds=60):
                files.save(Snapshot([generation(n)]), Contents(np.arange(count), np.full(count, n, dtype=np.uint64)))

    IndexFiles(folder, IDENTITY).save(
        Snapshot([generation(0)]), Contents(np.arange(count), np.zeros(count, dtype=np.uint64))
    )

    def read(_: int) -> list[int]:
        files, seen = IndexFiles(folder, IDENTITY), []
        snapshot = files.load()
        while not seen or seen[-1] < last - 1:
            assert snapshot is not None
            counts = [len(ranking.ids) for ranking in snapshot.rank_words(names, k=99)]
            assert sorted(counts) == [0] * (last - 1) + [count]
            seen.append(counts.index(count))
            snapshot = files.newer() or snapshot
        return seen

    child = os.fork()
    if child == 0:
        write()
        os._exit(0)
    with ThreadPoolExecutor(3) as pool:
        for seen in pool.map(read, range(3)):
            assert seen == sorted(seen)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_another_kind_of_vectors_is_another_index(tmp_path: Path) -> None:
    saved(tmp_path / "i")
    assert IndexFiles(tmp_path / "i", IDENTITY.model_copy(update={"vectors": "hnsw"})).load() is None
    rows = np.random.default_rng(0).normal(size=(1500, 8)).astype(np.float32)
    owners = np.arange(1500, dtype=np.int32)
    kinds = [Dense.build(rows[:n], owners_V=owners[:n], kind="ivf").kind for n in (1, 1000, 1500)]
    assert kinds == ["flat", "flat", "ivf"]


def test_a_second_writer_is_told_who_writes_and_since_when(store: Store, tmp_path: Path) -> None:
    (tmp_path / "n").mkdir()
    (tmp_path / "n" / "a.md").write_text("harbor")
    ingest(store, tmp_path / "n", name="n")
    lock = library.index_folder(tmp_path, "n") / "write.lock"
    with write_lock(lock, wait_seconds=0):
        who = rf"being written by process {os.getpid()} since 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC; wait for it or stop"
        with pytest.raises(KarlError, match=who):
            open_index(store, "n", home=tmp_path, wait_seconds=0)
    assert open_index(store, "n", home=tmp_path, wait_seconds=0).search(["harbor"])[0]


STEPS = {"save_array", "record", "replace", "write_json", "write_text", "_remove_unused", "unlink"}
WHERE = ("arrays.py", "manifest.py", "files.py", "jsonfile.py", "pathlib.py")


def killed_at(step: int, work: Callable[[], object]) -> bool:
    """Run `work` in a process that is killed as it begins the step-th step of writing. False: it ended before."""
    child = os.fork()
    if child == 0:
        left = step

        def stop(frame: FrameType, event: str, _: object) -> None:
            nonlocal left
            code = frame.f_code
            if event == "call" and code.co_name in STEPS and code.co_filename.endswith(WHERE):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.setprofile(stop)
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL)
    return status != 0


def a_corpus(home: Path) -> Store:
    (home / "n").mkdir()
    for n in range(30):
        (home / "n" / f"{n}.md").write_text(f"harbor word{n} " * 40)
    store = Store.open(f"sqlite:///{home}/k.db")
    ingest(store, home / "n", name="n")
    return store


def test_a_writer_killed_at_any_step_leaves_an_index_that_works(tmp_path: Path) -> None:
    store = a_corpus(tmp_path)
    server = open_index(store, "n", home=tmp_path)
    (tmp_path / "n" / "new.md").write_text("harbor lighthouse")
    (tmp_path / "n" / "3.md").unlink()
    ingest(store, tmp_path / "n", name="n")
    store.close()
    step = 1
    while killed_at(step, lambda: open_index(Store.open(f"sqlite:///{tmp_path}/k.db"), "n", home=tmp_path)):
        assert len(server.search(["harbor"], k=99)[0]) in (29, 30)
        assert IndexFiles(library.index_folder(tmp_path, "n"), NO_VECTORS).load() is not None
        step += 1
    assert step > 12
    assert [hit.key for hit in server.search(["lighthouse"])[0]] == ["new.md#0"]
    assert not list(library.index_folder(tmp_path, "n").glob(".building-*"))


FULL = """
import resource, sys
from pathlib import Path
from store.session import Store
from store.vectors.library import open_index
home = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
open_index(Store.open(f"sqlite:///{home}/k.db"), "n", home=home)
"""


def test_a_full_disk_says_so_and_leaves_the_index_in_use(tmp_path: Path) -> None:
    store = a_corpus(tmp_path)
    server = open_index(store, "n", home=tmp_path)
    for n in range(300):
        (tmp_path / "n" / f"more{n}.md").write_text(f"harbor more{n}")
    ingest(store, tmp_path / "n", name="n")
    # The limit of a file's size stands in for a full disk: writes beyond it fail in the kernel.
    ended = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert "cannot write the index: File too large; free the disk and run again" in ended.stderr
    assert len(server.search(["harbor"], k=99)[0]) == 30
    assert not list(library.index_folder(tmp_path, "n").glob(".building-*"))
    assert len(open_index(store, "n", home=tmp_path).search(["harbor"], k=999)[0]) == 330


def test_the_condition_of_an_index_is_told_by_its_manifest(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert index_condition(home, "c", chunks=37) == (False, "not built yet")
    folder = library.index_folder(home, "c")
    files, _ = saved(folder)
    current, found = index_condition(home, "c", chunks=37)
    assert current and found.startswith("37 chunks, 64 dimensions, 2 segments, ")
    assert index_condition(home, "c", chunks=38) == (False, "of 37 chunks; the corpus has 38")
    loaded = files.load()
    assert loaded is not None
    cut = folder / loaded.segments[0].name / "ids.npy"
    cut.write_bytes(cut.read_bytes()[:-1])
    assert index_condition(home, "c", chunks=37) == (False, f"damaged: {cut} is missing or cut short")
    (folder / "manifest.json").write_text("{", encoding="utf-8")
    assert index_condition(home, "c", chunks=37).found.startswith("unreadable: ")
