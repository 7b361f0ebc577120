"""Nearest vectors of one segment: exact, as a graph, or in cells, by size. A chunk scores as its best passage."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from store.vectors.arrays import load_array, save_array
from store.vectors.cells import Cells
from store.vectors.flat import Flat
from store.vectors.graph import Graph
from store.vectors.ranking import Ranking, top

EXACT_UP_TO = 20_000  # two cores search as many in a millisecond a query
ALWAYS_EXACT = 1_000  # too few to cluster, and additions are mostly so short
GRAPH_UP_TO = 2_000_000  # a graph costs about a millisecond a vector to build, far less than embedding it
COPIED = 2_000  # vectors of chosen chunks: so few are copied, and each is scored
MORE = 4  # times as many passages, where those of long chunks crowded out the others
KINDS = {"flat": Flat, "hnsw": Graph, "ivf": Cells}


class Dense:
    """owners_V: the position of each vector's chunk, ascending. out_V: those that are left out, None for none."""

    def __init__(
        self, vectors: Flat | Graph | Cells, *, owners_V: NDArray[np.int32], out_V: NDArray[np.bool_] | None = None
    ) -> None:
        self._vectors, self.owners_V, self._out_V = vectors, owners_V, out_V
        counts = np.bincount(owners_V if out_V is None else owners_V[~out_V], minlength=1)
        self._most = int(counts.max())  # passages of the longest chunk
        self._mean = float(counts.sum() / max(1, np.count_nonzero(counts)))

    @classmethod
    def build(cls, vectors_VD: NDArray[np.float32], *, owners_V: NDArray[np.int32], kind: str = "auto") -> Self:
        """Unit rows: the inner product is the cosine."""
        rows = np.ascontiguousarray(vectors_VD, dtype=np.float32)
        return cls(KINDS[kind_for(len(rows), kind=kind)].build(rows), owners_V=owners_V)

    @property
    def kind(self) -> str:
        return self._vectors.kind

    @property
    def size(self) -> int:
        return len(self.owners_V)

    @property
    def dimensions(self) -> int:
        return self._vectors.dimensions

    def vectors(self) -> NDArray[np.float32]:
        """V x D, as the index keeps them: half precision above EXACT_UP_TO."""
        return self._vectors.rows()

    def among(self, chosen_N: NDArray[np.bool_]) -> Dense:
        """To search in these chunks alone. Exact: a graph has no way to what is chosen where little of it is."""
        chosen_V = chosen_N[self.owners_V]
        if np.count_nonzero(chosen_V) > COPIED:
            return Dense(self._vectors, owners_V=self.owners_V, out_V=~chosen_V)
        places_F = np.flatnonzero(chosen_V)
        return Dense(Flat(self._vectors.some(places_F)), owners_V=self.owners_V[places_F])

    def rank(
        self, queries_QD: NDArray[np.float32], *, k: int, ids_N: NDArray[np.int64], dead_N: NDArray[np.bool_]
    ) -> list[Ranking]:
        """One ranking a query. Where passages of few chunks are the nearest, more are asked for until k chunks are."""
        wanted = min(self.size, int(k * max(2.0, 2 * self._mean)) + self._most)
        queries = np.ascontiguousarray(queries_QD, dtype=np.float32)
        dead_V = dead_N[self.owners_V] if dead_N.any() else None
        ranked = [Ranking.none()] * len(queries)
        left = np.arange(len(queries))
        while len(left):
            crowded: list[int] = []
            for query, (row, scores) in zip(left, self._nearest(queries[left], wanted, dead_V), strict=True):
                ranked[query] = self._chunks(row, scores, k=k, ids_N=ids_N)
                if len(ranked[query].ids) < k and len(row) == wanted < self.size:
                    crowded.append(int(query))
            left = np.array(crowded, dtype=np.int64)
            wanted = min(self.size, MORE * wanted)
        return ranked

    def _nearest(
        self, queries_QD: NDArray[np.float32], wanted: int, dead_V: NDArray[np.bool_] | None
    ) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        if self._out_V is not None:
            return self._vectors.search(queries_QD, wanted, self._out_V, exact=True)
        return self._vectors.search(queries_QD, wanted, dead_V)

    def _chunks(
        self, found_W: NDArray[np.int64], scores_W: NDArray[np.float32], *, k: int, ids_N: NDArray[np.int64]
    ) -> Ranking:
        if self._most == 1:
            return top(ids_N[self.owners_V[found_W]], scores_W, k=k)
        order = np.argsort(-scores_W, kind="stable")
        # Scores descend: the first of a chunk is its best.
        positions, first = np.unique(self.owners_V[found_W[order]], return_index=True)
        return top(ids_N[positions], scores_W[order][first], k=k)

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._vectors.save(folder / f"{self.kind}.vectors")
        save_array(folder / "owners.npy", self.owners_V)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Raises: OSError, ValueError or RuntimeError for files that are not there or damaged."""
        owners_V = load_array(folder / "owners.npy")
        for kind, opened in KINDS.items():
            if (path := folder / f"{kind}.vectors").exists():
                return cls(opened.load(path), owners_V=owners_V)
        raise ValueError(f"{folder}: no vectors")


def kind_for(size: int, *, kind: str = "auto") -> str:
    """flat: exact; hnsw: the fastest at equal recall; ivf: built in a fraction of the time, for the very many."""
    if kind != "auto":
        return kind if size > ALWAYS_EXACT else "flat"
    return "flat" if size <= EXACT_UP_TO else "hnsw" if size <= GRAPH_UP_TO else "ivf"
