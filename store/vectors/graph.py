"""A graph (HNSW) of vectors: the fastest at equal recall. A search goes from row to row."""

from __future__ import annotations

import math
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from store.vectors.ann import TRAINING_ROWS, TURNS, Approximate, Places, Scores, load_faiss

LINKS, EF_BUILD = 32, 160
# Candidates that a search keeps: so many of 100,000 vectors find .99 of the 20 nearest, and more of more.
EF_SEARCH, EF_SIZE, EF_GROWTH = 80, 100_000, 0.25
ROWS_TOGETHER = 400  # in memory: a cell's, on average


class Graph(Approximate):
    """Rows that are near each other lie near each other in memory, which a search waits for less then.

    `_index` holds the graph and, for each of its rows, which of ours it is.
    """

    kind = "hnsw"

    def __init__(self, index: Any) -> None:
        super().__init__(index)
        faiss = load_faiss()
        self._graph = faiss.downcast_index(index.index)
        self._rows = faiss.downcast_index(self._graph.storage)

    @classmethod
    def build(cls, rows_VD: NDArray[np.float32]) -> Self:
        faiss = load_faiss()
        half = faiss.ScalarQuantizer.QT_fp16
        graph = faiss.IndexHNSWSQ(rows_VD.shape[1], half, LINKS, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction = EF_BUILD
        graph.train(rows_VD[:1])
        index = faiss.IndexIDMap(graph)
        order_V = near_together(rows_VD)
        index.add_with_ids(rows_VD, order_V)
        graph.permute_entries(order_V)
        return cls(index)

    def rows(self) -> NDArray[np.float32]:
        found_VD = np.empty((self._index.ntotal, self._index.d), dtype=np.float32)
        found_VD[self._ours_V] = self._rows.reconstruct_n(0, self._index.ntotal)
        return found_VD

    def some(self, places_F: NDArray[np.int64]) -> NDArray[np.float32]:
        return self._rows.reconstruct_batch(self._inside_V[places_F])

    @cached_property
    def _ours_V(self) -> NDArray[np.int64]:
        """Which of our rows lies where."""
        return load_faiss().vector_to_array(self._index.id_map)

    @cached_property
    def _inside_V(self) -> NDArray[np.int64]:
        """Where each of our rows lies."""
        return np.argsort(self._ours_V)

    def _near(self, queries_QD: NDArray[np.float32], wanted: int, selector: Any) -> tuple[Scores, Places]:
        kept = max(candidates(self._index.ntotal), wanted)
        parameters = load_faiss().SearchParametersHNSW(efSearch=kept, sel=selector)
        return self._index.search(queries_QD, wanted, params=parameters)

    def _all(self, queries_QD: NDArray[np.float32], wanted: int, selector: Any) -> tuple[Scores, Places]:
        faiss = load_faiss()
        inside = None if selector is None else faiss.IDSelectorTranslated(self._index.id_map, selector)
        scores_QW, found_QW = self._rows.search(queries_QD, wanted, params=faiss.SearchParameters(sel=inside))
        return scores_QW, np.where(found_QW < 0, -1, self._ours_V[found_QW])

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises: RuntimeError for a file that is not there or damaged."""
        faiss = load_faiss()
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        if not isinstance(index, faiss.IndexIDMap):
            raise RuntimeError(f"{path}: not a graph with the places of its rows")
        return cls(index)


def candidates(vectors: int) -> int:
    """Of a graph of so many vectors."""
    return round(EF_SEARCH * max(1.0, vectors / EF_SIZE) ** EF_GROWTH)


def near_together(rows_VD: NDArray[np.float32]) -> NDArray[np.int64]:
    """An order of the rows with neighbours near each other: cell after cell, on each the nearest that is left."""
    cells = 2 ** max(0, round(math.log2(len(rows_VD) / ROWS_TOGETHER)))
    faiss = load_faiss()
    found = faiss.Kmeans(rows_VD.shape[1], cells, niter=TURNS, spherical=True, max_points_per_centroid=TRAINING_ROWS)
    found.train(rows_VD[:: max(1, len(rows_VD) // (TRAINING_ROWS * cells))])
    _, cell_V1 = found.index.search(rows_VD, 1)
    return np.argsort(_chain(found.centroids)[cell_V1[:, 0]], kind="stable")


def _chain(rows_CD: NDArray[np.float32]) -> NDArray[np.int64]:
    """Each row's place in a chain from the first to the nearest that is left, and so on."""
    place_C = np.full(len(rows_CD), -1)
    at = 0
    for place in range(len(rows_CD)):
        place_C[at] = place
        at = int(np.where(place_C < 0, rows_CD @ rows_CD[at], -np.inf).argmax())
    return place_C
