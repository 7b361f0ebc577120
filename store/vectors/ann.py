"""What FAISS's indexes of many vectors share: half precision, mapped from disk, results as positions of ours."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from store.vectors.flat import Found

TRAINING_ROWS = 40  # a cell of k-means, at least: fewer place it badly, and FAISS warns below 39
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
        faiss = load_faiss()
        try:
            faiss.write_index(self._index, str(path))
        except RuntimeError as exc:  # FAISS has no other for a disk that is full
            raise OSError(None, f"{path.name} could not be written ({str(exc).splitlines()[-1]})") from exc
        with path.open("rb") as file:
            os.fsync(file.fileno())


def load_faiss() -> Any:
    """Loaded when there are vectors to search. Its stubs know half of the classes."""
    import faiss

    return faiss


def _selector(alive_V: NDArray[np.bool_]) -> Any:
    return load_faiss().IDSelectorBitmap(np.packbits(alive_V, bitorder="little"))


def _ascending(found_W: NDArray[np.int64], scores_W: NDArray[np.float32]) -> Found:
    order = np.argsort(found_W)
    order = order[found_W[order] >= 0]  # FAISS pads with -1 when it finds fewer
    return found_W[order], scores_W[order]
