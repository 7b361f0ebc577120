"""Rankings: top k with deterministic ties, merging those of several segments, fusing those of several kinds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray


class Ranking(NamedTuple):
    """K chunk ids, best first, and their scores K; equal scores in the order of ids."""

    ids: NDArray[np.int64]
    scores: NDArray[np.float32]

    @classmethod
    def none(cls) -> Self:
        return cls(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32))

    def best(self, k: int) -> Ranking:
        return Ranking(self.ids[:k], self.scores[:k])


def top(ids: NDArray[np.int64], scores: NDArray[np.float32], *, k: int) -> Ranking:
    """The k best of candidates given in ascending order of ids; equal scores keep that order."""
    if len(scores) > 4 * k:
        # Keep every candidate that ties with the k-th: which of them stays is decided by id, not by partition.
        keep = np.flatnonzero(scores >= kth_best(scores, k=k))
        ids, scores = ids[keep], scores[keep]
    order = np.argsort(-scores, kind="stable")[:k]
    return Ranking(ids[order], scores[order])


def kth_best(scores: NDArray[np.float32], *, k: int) -> float:
    """Of at least k scores. Those near the best are partitioned alone, mostly: a pass that compares costs little."""
    best = float(scores.max())
    for share in (0.7, 0.5, 0.35, 0.25, 0.15):
        near = scores[scores >= best * share]
        if k <= len(near) < len(scores):
            return float(np.partition(near, len(near) - k)[len(near) - k])
    return float(np.partition(scores, len(scores) - k)[len(scores) - k])


def merge(rankings: Sequence[Ranking], *, k: int) -> Ranking:
    """The k best of rankings without common ids."""
    if len(rankings) == 1:
        return rankings[0].best(k)
    if not rankings:
        return Ranking.none()
    ids = np.concatenate([ranking.ids for ranking in rankings])
    scores = np.concatenate([ranking.scores for ranking in rankings])
    order = np.lexsort((ids, -scores))[:k]
    return Ranking(ids[order], scores[order])


def fuse(rankings: Sequence[tuple[float, Ranking]], *, k: int, constant: int) -> Ranking:
    """Reciprocal rank fusion of (weight, ranking) pairs; equal scores in the order of ids."""
    total: dict[int, float] = {}
    for weight, ranking in rankings:
        for rank, chunk_id in enumerate(ranking.ids.tolist(), start=1):
            total[chunk_id] = total.get(chunk_id, 0.0) + weight / (constant + rank)
    best = sorted(total.items(), key=lambda item: (-item[1], item[0]))[:k]
    return Ranking(
        np.array([chunk_id for chunk_id, _ in best], dtype=np.int64),
        np.array([score for _, score in best], dtype=np.float32),
    )


def blend(rankings: Sequence[tuple[float, Ranking]], *, k: int, depth: int) -> Ranking:
    """Weighted sum of scores, each ranking's brought to 0..1 first; equal sums in the order of ids.

    0 is the score of its last candidate where a ranking has all `depth` of them (whatever is not among them has 0 too),
    else no score at all. Convex combination: Bruch, Gai, Ingber, ACM TOIS 42 (2023), where it beats ranks.
    """
    ids, owners = np.unique(np.concatenate([ranking.ids for _, ranking in rankings]), return_inverse=True)
    total, start = np.zeros(len(ids), dtype=np.float64), 0
    for weight, ranking in rankings:
        size = len(ranking.ids)
        total[owners[start : start + size]] += weight * _unit(ranking.scores, full=size >= depth)
        start += size
    return top(ids, total.astype(np.float32), k=k)


def _unit(scores: NDArray[np.float32], *, full: bool) -> NDArray[np.float64]:
    if not len(scores):
        return np.zeros(0)
    floor = float(scores[-1]) if full else min(0.0, float(scores[-1]))
    span = float(scores[0]) - floor
    return (scores.astype(np.float64) - floor) / span if span > 0 else np.ones(len(scores))
