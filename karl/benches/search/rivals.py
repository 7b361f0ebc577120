"""Who searches vectors: our index from disk, every row looked at, usearch and LanceDB where they are installed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from store.vectors.dense import Dense
from store.vectors.files import IndexFiles
from store.vectors.manifest import FORMAT, Contents, Identity
from store.vectors.postings import Postings
from store.vectors.segments import Segment
from store.vectors.snapshot import Snapshot

IDENTITY = Identity(format=FORMAT, corpus="bench", embedder="seeded", embedder_fingerprint="")
THREADS = 2  # of rivals that have to be told
Search = Callable[[NDArray[np.float32], int], Sequence[Sequence[int]]]


class Rival(NamedTuple):
    """most: queries a turn, for the slow ones."""

    name: str
    search: Search
    most: int
    facts: dict[str, Any]


def ours(rows_VD: NDArray[np.float32], *, folder: Path, kind: str = "auto") -> Rival:
    """Built, written, opened again by mapping."""
    began = time.perf_counter()
    size = len(rows_VD)
    dense = Dense.build(rows_VD, owners_V=np.arange(size, dtype=np.int32), kind=kind)
    built = time.perf_counter()
    folder.mkdir(parents=True)
    ids_N = np.arange(size, dtype=np.int64)
    segment = Segment.of(ids_N, Postings.build([""] for _ in range(size)), dense)
    IndexFiles(folder, IDENTITY).save(Snapshot([segment]), Contents(ids_N, ids_N.view(np.uint64)))
    saved = time.perf_counter()
    snapshot = opened(folder)
    megabytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    facts = {
        "kind": snapshot.kind,
        "build_seconds": round(built - began, 2),
        "save_seconds": round(saved - built, 2),
        "open_seconds": round(time.perf_counter() - saved, 3),
        "megabytes": round(megabytes, 1),
    }
    return Rival(f"karl {dense.kind}" if kind != "auto" else "karl", _searching(snapshot), 1 << 30, facts)


def opened(folder: Path) -> Snapshot:
    """Raises: RuntimeError where the files are damaged."""
    snapshot = IndexFiles(folder, IDENTITY).load()
    if snapshot is None:
        raise RuntimeError(f"{folder}: the bench's own index cannot be opened")
    return snapshot


def _searching(snapshot: Snapshot) -> Search:
    return lambda queries_QD, k: [ranking.ids.tolist() for ranking in snapshot.rank_vectors(queries_QD, k=k)]


def brute(rows_VD: NDArray[np.float32]) -> Rival:
    """NumPy: one product, then the best."""

    def search(queries_QD: NDArray[np.float32], k: int) -> Sequence[Sequence[int]]:
        scores = queries_QD @ rows_VD.T
        places = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(scores, places, axis=1), axis=1)
        return np.take_along_axis(places, order, axis=1).tolist()

    return Rival("every row", search, 128, {"build_seconds": 0.0})


def usearch(rows_VD: NDArray[np.float32]) -> Rival:
    """HNSW in half precision, with as many links and as wide a search as ours."""
    from usearch.index import Index  # type: ignore[import-not-found]

    began = time.perf_counter()
    index = Index(
        ndim=rows_VD.shape[1], metric="ip", dtype="f16", connectivity=32, expansion_add=160, expansion_search=80
    )
    index.add(np.arange(len(rows_VD)), rows_VD, threads=THREADS)
    facts = {"build_seconds": round(time.perf_counter() - began, 2)}

    def search(queries_QD: NDArray[np.float32], k: int) -> Sequence[Sequence[int]]:
        found = index.search(queries_QD, k, threads=THREADS)
        return found.keys.reshape(len(queries_QD), -1).tolist()

    return Rival("usearch", search, 1 << 30, facts)


def lancedb(rows_VD: NDArray[np.float32], *, folder: Path) -> Rival:
    """IVF_HNSW_SQ, its own recommendation; one query a call, two threads."""
    os.environ.setdefault("LANCEDB_LOG", "error")  # it warns of every query
    import lancedb as lance  # type: ignore[import-not-found]
    import pyarrow as pa  # type: ignore[import-not-found]

    began = time.perf_counter()
    size, dimensions = rows_VD.shape
    rows = pa.FixedSizeListArray.from_arrays(pa.array(rows_VD.ravel()), dimensions)
    table = lance.connect(folder).create_table(
        "rows", pa.table({"id": pa.array(np.arange(size)), "vector": rows}), mode="overwrite"
    )
    table.create_index(metric="cosine", vector_column_name="vector", index_type="IVF_HNSW_SQ")
    facts = {"build_seconds": round(time.perf_counter() - began, 2)}
    pool = ThreadPoolExecutor(THREADS)

    def one(query_D: NDArray[np.float32], k: int) -> list[int]:
        query: Any = table.search(query_D)  # its type does not tell that a search by vector has a metric
        return query.metric("cosine").limit(k).select(["id"]).to_arrow()["id"].to_pylist()

    def search(queries_QD: NDArray[np.float32], k: int) -> Sequence[Sequence[int]]:
        return list(pool.map(lambda query: one(query, k), queries_QD))

    return Rival("lancedb", search, 128, facts)


def installed(names: Iterable[str]) -> dict[str, str]:
    """Distribution -> version; "not installed" for those that are left out."""
    return {name: _version(name) for name in names}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
