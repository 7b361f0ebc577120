"""Rankings: top k with deterministic ties, and reciprocal rank fusion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Ranking(NamedTuple):
    """positions K of the index, best first, and their scores K."""

    positions: NDArray[np.intp]
    scores: NDArray[np.float32]


def top(positions: NDArray[np.intp], scores: NDArray[np.float32], *, k: int) -> Ranking:
    """The k best of candidates given in ascending order of positions; equal scores keep that order."""
    if len(scores) > 4 * k:
        # Keep every candidate that ties with the k-th: which of them stays is decided by position, not by partition.
        threshold = np.partition(scores, len(scores) - k)[len(scores) - k]
        keep = np.flatnonzero(scores >= threshold)
        positions, scores = positions[keep], scores[keep]
    order = np.argsort(-scores, kind="stable")[:k]
    return Ranking(positions[order], scores[order])


def fuse(rankings: Sequence[tuple[float, Ranking]], *, k: int, constant: int) -> Ranking:
    """Reciprocal rank fusion of (weight, ranking) pairs; equal scores in the order of positions."""
    total: dict[int, float] = {}
    for weight, ranking in rankings:
        for rank, position in enumerate(ranking.positions.tolist(), start=1):
            total[position] = total.get(position, 0.0) + weight / (constant + rank)
    best = sorted(total.items(), key=lambda item: (-item[1], item[0]))[:k]
    return Ranking(
        np.array([position for position, _ in best], dtype=np.intp),
        np.array([score for _, score in best], dtype=np.float32),
    )
