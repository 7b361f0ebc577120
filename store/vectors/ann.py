"""FAISS for many vectors, in half precision, mapped from disk: a graph (HNSW), or cells (IVF) for the very many."""

from __future__ import annotations

import math
import os
import threading
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from store.vectors.flat import Found, nearest

LINKS, EF_BUILD = 32, 160
# Candidates that a search of a graph keeps: so many of 100,000 vectors find .99 of the 20 nearest, and more of more.
EF_SEARCH, EF_SIZE, EF_GROWTH = 80, 100_000, 0.25
PROBES = (8, 16, 32, 64, 128)
RECALL = 0.98  # of 20 nearest, on rows of its own: what the number of cells to look into is chosen for
SAMPLE = 200
TRAINING_ROWS = 40  # a cell, at least: fewer place it badly, and FAISS warns below 39
TURNS = 8  # of k-means
Scores = NDArray[np.float32]
Places = NDArray[np.int64]


class Approximate(ABC):
    """A FAISS index. Half precision decodes to what it was encoded from: merging segments loses nothing twice."""

    kind: ClassVar[str]

    def __init__(self, index: Any) -> None:
        self._index = index

    @property
    def dimensions(self) -> int:
        return self._index.d

    def rows(self) -> NDArray[np.float32]:
        return self._index.reconstruct_n(0, self._index.ntotal)

    def some(self, places_F: NDArray[np.int64]) -> NDArray[np.float32]:
        return self._index.reconstruct_batch(places_F)

    @abstractmethod
    def _near(self, queries_QD: NDArray[np.float32], wanted: int, selector: Any) -> tuple[Scores, Places]: ...

    @abstractmethod
    def _all(self, queries_QD: NDArray[np.float32], wanted: int, selector: Any) -> tuple[Scores, Places]: ...

    def search(
        self,
        queries_QD: NDArray[np.float32],
        wanted: int,
        dead_V: NDArray[np.bool_] | None,
        *,
        exact: bool = False,
    ) -> list[Found]:
        """For each query at most `wanted` positions, ascending, and their inner products. exact: all are looked at."""
        selector = None if dead_V is None else _selector(~dead_V)
        scores_QW, found_QW = (self._all if exact else self._near)(queries_QD, wanted, selector)
        return [_ascending(found, scores) for found, scores in zip(found_QW, scores_QW, strict=True)]

    def save(self, path: Path) -> None:
        """Raises: OSError, for a full disk too."""
        faiss = _faiss()
        try:
            faiss.write_index(self._index, str(path))
        except RuntimeError as exc:  # FAISS has no other for a disk that is full
            raise OSError(None, f"{path.name} could not be written ({str(exc).splitlines()[-1]})") from exc
        with path.open("rb") as file:
            os.fsync(file.fileno())


class Graph(Approximate):
    kind = "hnsw"

    @classmethod
    def build(cls, rows_VD: NDArray[np.float32]) -> Self:
        faiss = _faiss()
        half = faiss.ScalarQuantizer.QT_fp16
        index = faiss.IndexHNSWSQ(rows_VD.shape[1], half, LINKS, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = EF_BUILD
        index.train(rows_VD[:1])
        index.add(rows_VD)
        return cls(index)

    def _near(self, queries_QD: NDArray[np.float32], wanted: int, selector: Any) -> tuple[Scores, Places]:
        kept = max(candidates(self._index.ntotal), wanted)
        parameters = _faiss().SearchParametersHNSW(efSearch=kept, sel=selector)
        return self._index.search(queries_QD, wanted, params=parameters)

    def _all(self, queries_QD: NDArray[np.float32], wanted: int, selector: Any) -> tuple[Scores, Places]:
        faiss = _faiss()
        rows = faiss.downcast_index(self._index.storage)
        return rows.search(queries_QD, wanted, params=faiss.SearchParameters(sel=selector))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises: RuntimeError for a file that is not there or damaged."""
        faiss = _faiss()
        return cls(faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC))


def candidates(vectors: int) -> int:
    """Of a graph of so many vectors."""
    return round(EF_SEARCH * max(1.0, vectors / EF_SIZE) ** EF_GROWTH)


class Cells(Approximate):
    kind = "ivf"

    def __init__(self, index: Any) -> None:
        super().__init__(index)
        self._mapping = threading.Lock()

    @classmethod
    def build(cls, rows_VD: NDArray[np.float32]) -> Self:
        faiss = _faiss()
        size, dimensions = rows_VD.shape
        cells = 2 ** min(round(math.log2(4 * math.sqrt(size))), int(math.log2(size / TRAINING_ROWS)))
        half = faiss.ScalarQuantizer.QT_fp16
        index = faiss.IndexIVFScalarQuantizer(
            faiss.IndexFlatIP(dimensions), dimensions, cells, half, faiss.METRIC_INNER_PRODUCT
        )
        index.by_residual = False  # a row decodes to itself, whatever the cells
        index.cp.niter = TURNS
        index.train(rows_VD[:: max(1, size // (TRAINING_ROWS * cells))])
        index.add(rows_VD)
        made = cls(index)
        index.nprobe = made._probes(rows_VD)
        return made

    def _probes(self, rows_VD: NDArray[np.float32]) -> int:
        """The fewest cells that find enough of what looking at every row finds, for rows of its own."""
        queries = rows_VD[:: max(1, len(rows_VD) // SAMPLE)][:SAMPLE]
        exact = nearest(queries, rows_VD, k=20)
        for probes in PROBES:
            self._index.nprobe = probes
            found = self._index.search(queries, 20)[1]
            if np.mean([len(np.intersect1d(a, b)) / 20 for a, b in zip(exact, found, strict=True)]) >= RECALL:
                return probes
        return PROBES[-1]

    def _near(self, queries_QD: NDArray[np.float32], wanted: int, selector: Any) -> tuple[Scores, Places]:
        return self._probed(queries_QD, wanted, selector, cells=self._index.nprobe)

    def _all(self, queries_QD: NDArray[np.float32], wanted: int, selector: Any) -> tuple[Scores, Places]:
        return self._probed(queries_QD, wanted, selector, cells=self._index.nlist)

    def _probed(
        self, queries_QD: NDArray[np.float32], wanted: int, selector: Any, *, cells: int
    ) -> tuple[Scores, Places]:
        parameters = _faiss().SearchParametersIVF(nprobe=cells, sel=selector)
        return self._index.search(queries_QD, wanted, params=parameters)

    def rows(self) -> NDArray[np.float32]:
        self._map()
        return super().rows()

    def some(self, places_F: NDArray[np.int64]) -> NDArray[np.float32]:
        self._map()
        return super().some(places_F)

    def _map(self) -> None:
        """Where each row lies."""
        with self._mapping:
            if not self._index.direct_map.array.size():
                self._index.make_direct_map()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises: RuntimeError for a file that is not there or damaged."""
        faiss = _faiss()
        return cls(faiss.read_index(str(path), faiss.IO_FLAG_MMAP))


def _faiss() -> Any:
    """Loaded when there are vectors to search. Its stubs know half of the classes."""
    import faiss

    return faiss


def _selector(alive_V: NDArray[np.bool_]) -> Any:
    return _faiss().IDSelectorBitmap(np.packbits(alive_V, bitorder="little"))


def _ascending(found_W: NDArray[np.int64], scores_W: NDArray[np.float32]) -> Found:
    order = np.argsort(found_W)
    order = order[found_W[order] >= 0]  # FAISS pads with -1 when it finds fewer
    return found_W[order], scores_W[order]
