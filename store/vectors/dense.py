"""Nearest vectors with FAISS: exact below 50,000 vectors, HNSW above. A chunk scores as its best passage."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from store.vectors.ranking import Ranking, top

EXACT_UP_TO = 50_000
LINKS, EF_BUILD, EF_SEARCH = 32, 80, 64


class Dense:
    """owners_V: the position of each vector's chunk, ascending."""

    def __init__(self, index: Any, *, owners_V: NDArray[np.int32]) -> None:
        self.index, self.owners_V = index, owners_V
        counts = np.bincount(owners_V) if len(owners_V) else np.zeros(1, dtype=np.intp)
        self._most = int(counts.max())  # passages of the longest chunk
        self._mean = float(len(owners_V) / max(1, np.count_nonzero(counts)))

    @classmethod
    def build(cls, vectors_VD: NDArray[np.float32], *, owners_V: NDArray[np.int32]) -> Self:
        """Unit rows: the inner product is the cosine."""
        import faiss

        dimensions = vectors_VD.shape[1]
        if len(vectors_VD) <= EXACT_UP_TO:
            index = faiss.IndexFlatIP(dimensions)
        else:
            index = faiss.IndexHNSWFlat(dimensions, LINKS, faiss.METRIC_INNER_PRODUCT)
            index.hnsw.efConstruction = EF_BUILD
        index.add(np.ascontiguousarray(vectors_VD, dtype=np.float32))
        return cls(index, owners_V=owners_V)

    @property
    def kind(self) -> str:
        return "hnsw" if hasattr(self.index, "hnsw") else "flat"

    def vectors(self) -> NDArray[np.float32]:
        """V x D, as they were added."""
        return self.index.reconstruct_n(0, self.index.ntotal)

    def rank(self, queries_QD: NDArray[np.float32], *, k: int) -> list[Ranking]:
        """One ranking a query. Looks at enough passages that k chunks come out unless very long ones crowd them."""
        wanted = min(self.index.ntotal, int(k * max(2.0, 2 * self._mean)) + self._most)
        if self.kind == "hnsw":
            self.index.hnsw.efSearch = max(EF_SEARCH, wanted)
        scores_QW, found_QW = self.index.search(np.ascontiguousarray(queries_QD, dtype=np.float32), wanted)
        return [self._chunks(found, scores, k=k) for found, scores in zip(found_QW, scores_QW, strict=True)]

    def _chunks(self, found_W: NDArray[np.int64], scores_W: NDArray[np.float32], *, k: int) -> Ranking:
        valid = found_W >= 0  # FAISS pads with -1 when it finds fewer
        owners = self.owners_V[found_W[valid]]
        positions, first = np.unique(owners, return_index=True)  # scores descend: the first of a chunk is its best
        return top(positions.astype(np.intp), scores_W[valid][first], k=k)

    def save(self, folder: Path) -> None:
        import faiss

        folder.mkdir(parents=True)
        faiss.write_index(self.index, str(folder / "vectors.faiss"))
        np.save(folder / "owners.npy", self.owners_V)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Raises: OSError or RuntimeError for files that are not there or damaged."""
        import faiss

        index = faiss.read_index(str(folder / "vectors.faiss"))
        return cls(index, owners_V=np.load(folder / "owners.npy"))
