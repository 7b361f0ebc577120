"""Exact nearest vectors: one matrix product, then the best rows once more, so that a score depends on nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from store.vectors.arrays import load_array, save_array

Found = tuple[NDArray[np.int64], NDArray[np.float32]]
QUERIES_AT_ONCE = 64
ROWS_AT_ONCE = 50_000


def nearest(queries_QD: NDArray[np.float32], rows_VD: NDArray[np.float32], *, k: int) -> NDArray[np.int64]:
    """Q x k positions, best first, by looking at every row, some at a time."""
    best = np.full((len(queries_QD), k), -np.inf, dtype=np.float32)
    found = np.zeros(best.shape, dtype=np.int64)
    for start in range(0, len(rows_VD), ROWS_AT_ONCE):
        scores = queries_QD @ rows_VD[start : start + ROWS_AT_ONCE].T
        places = np.argpartition(-scores, min(k, scores.shape[1]) - 1, axis=1)[:, :k]
        both = np.concatenate([best, np.take_along_axis(scores, places, axis=1)], axis=1)
        order = np.argsort(-both, axis=1, kind="stable")[:, :k]
        found = np.take_along_axis(np.concatenate([found, places + start], axis=1), order, axis=1)
        best = np.take_along_axis(both, order, axis=1)
    return found


class Flat:
    """rows_VD float32 or the file that holds them."""

    kind: ClassVar[str] = "flat"

    def __init__(self, rows_VD: NDArray[np.float32]) -> None:
        self._rows_VD = rows_VD

    @classmethod
    def build(cls, rows_VD: NDArray[np.float32]) -> Self:
        return cls(rows_VD)

    @property
    def dimensions(self) -> int:
        return self._rows_VD.shape[1]

    def rows(self) -> NDArray[np.float32]:
        return self._rows_VD

    def some(self, places_F: NDArray[np.int64]) -> NDArray[np.float32]:
        return self._rows_VD[places_F]

    def search(
        self,
        queries_QD: NDArray[np.float32],
        wanted: int,
        dead_V: NDArray[np.bool_] | None,
        *,
        exact: bool = True,
    ) -> list[Found]:
        """For each query at most `wanted` positions, ascending, and their inner products."""
        found: list[Found] = []
        for start in range(0, len(queries_QD), QUERIES_AT_ONCE):
            part_QD = queries_QD[start : start + QUERIES_AT_ONCE]
            scores_QV = part_QD @ self._rows_VD.T
            if dead_V is not None:
                scores_QV[:, dead_V] = -np.inf
            found.extend(self._best(query, scores, wanted) for query, scores in zip(part_QD, scores_QV, strict=True))
        return found

    def _best(self, query_D: NDArray[np.float32], scores_V: NDArray[np.float32], wanted: int) -> Found:
        places = np.argpartition(-scores_V, wanted - 1)[:wanted] if wanted < len(scores_V) else np.arange(len(scores_V))
        places = np.sort(places[scores_V[places] > -np.inf])
        # BLAS sums in another order for another size of batch or index; einsum row by row does not.
        return places, np.einsum("wd,d->w", self._rows_VD[places], query_D)

    def save(self, path: Path) -> None:
        save_array(path, self._rows_VD)

    @classmethod
    def load(cls, path: Path) -> Self:
        return cls(load_array(path))
