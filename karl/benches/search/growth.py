"""What a hundredth more costs: build, add 1%, delete 1%, merge; and whether BM25 still ranks as a fresh build."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karl.benches.search.given import GivenVectors
from karl.benches.search.rivals import IDENTITY
from store.vectors.base import IndexEntry
from store.vectors.files import IndexFiles
from store.vectors.manifest import Contents
from store.vectors.ranking import Ranking
from store.vectors.segments import Segment
from store.vectors.snapshot import Snapshot


def growth(texts: Sequence[str], rows_VD: NDArray[np.float32], queries: Sequence[str], folder: Path) -> dict[str, Any]:
    """Texts and vectors of all chunks; the last hundredth is added. Everything is written to `folder`."""
    entries = [IndexEntry(n, "", text) for n, text in enumerate(texts)]
    kept = len(entries) - len(entries) // 100
    embedder = GivenVectors(rows_VD)
    folder.mkdir(parents=True)
    files = IndexFiles(folder, IDENTITY)
    found: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Snapshot]) -> Snapshot:
        began = time.perf_counter()
        snapshot = work()
        files.save(snapshot, Contents(snapshot.ids_N, snapshot.ids_N.view(np.uint64)))
        found[name] = round(time.perf_counter() - began, 3)
        return snapshot

    def segment(part: Sequence[IndexEntry]) -> Segment:
        return Segment.build(part, embedder=embedder, progress=None)

    snapshot = timed("build_seconds", lambda: Snapshot([segment(entries[:kept])]))
    snapshot = timed("add_1_percent_seconds", lambda: snapshot.changed(segment(entries[kept:]), gone=()))
    gone = range(0, kept, 100)
    snapshot = timed("delete_1_percent_seconds", lambda: snapshot.changed(None, gone=gone))
    left = [entry for entry in entries if entry.chunk_id not in set(gone)]
    fresh = Snapshot([Segment.build(left, embedder=None, progress=None)])
    rankings = (each.rank_words(queries, k=20) for each in (snapshot, fresh))
    differing = sum(not _same(*pair) for pair in zip(*rankings, strict=True))
    timed("merge_seconds", snapshot.compact)
    share = {
        f"{name}_share": round(found[f"{name}_1_percent_seconds"] / found["build_seconds"], 4)
        for name in ("add", "delete")
    }
    return {"chunks": len(entries), **found, **share, "bm25_queries": len(queries), "bm25_differing": differing}


def _same(first: Ranking, second: Ranking) -> bool:
    return np.array_equal(first.ids, second.ids) and np.array_equal(first.scores, second.scores)
