"""Figures of repeated attempts at the same questions: pass@1, max@k, and bootstrap intervals over questions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
LEVEL = 0.95


class Interval(NamedTuple):
    """A mean with its 95% bootstrap interval (percentile method, questions resampled)."""

    mean: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        return {name: round(value, 4) for name, value in self._asdict().items()}

    def overlaps(self, other: Interval) -> bool:
        return self.low <= other.high and other.low <= self.high


def interval(values_P: Sequence[float] | NDArray[np.float64], *, seed: int = 0) -> Interval:
    """Mean of one value per question. Raises: ValueError for no values."""
    values = np.asarray(values_P, dtype=np.float64)
    if values.size == 0:
        raise ValueError("no values to average")
    rng = np.random.default_rng(seed)
    means = values[rng.integers(0, values.size, size=(RESAMPLES, values.size))].mean(axis=1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(values.mean()), float(low), float(high))


def paired_difference(ours_P: Sequence[float], theirs_P: Sequence[float], *, seed: int = 0) -> Interval:
    """Interval of the mean difference over the same questions in the same order."""
    pairs = [ours - theirs for ours, theirs in zip(ours_P, theirs_P, strict=True)]
    return interval(pairs, seed=seed)


def pass_at_k(correct: int, *, samples: int, k: int) -> float:
    """Unbiased estimate of P(at least one of k is correct) from `samples` draws (Chen et al. 2021, eq. 1)."""
    if not 0 < k <= samples:
        raise ValueError(f"k = {k} with {samples} samples")
    return 1.0 - comb(samples - correct, k) / comb(samples, k)


def expected_max_at_k(scores: Sequence[float], *, k: int) -> float:
    """Unbiased estimate of the best of k draws, from n scores of any size; `pass_at_k` for scores of 0 and 1.

    The mean over all C(n, k) subsets: the i-th smallest score is the best of C(i - 1, k - 1) of them.
    """
    samples = len(scores)
    if not 0 < k <= samples:
        raise ValueError(f"k = {k} with {samples} samples")
    ordered = enumerate(sorted(scores), start=1)
    return sum(score * comb(rank - 1, k - 1) for rank, score in ordered) / comb(samples, k)


class CurvePoint(NamedTuple):
    """max@k over all questions that have k scores."""

    k: int
    score: Interval
    questions: int


def max_at_k_curve(scores: Mapping[str, Sequence[float]], *, ks: Iterable[int], seed: int = 0) -> list[CurvePoint]:
    """question -> its scores. A k that no question has scores for is left out; points over fewer questions say so."""
    points: list[CurvePoint] = []
    for k in ks:
        best = [expected_max_at_k(own, k=k) for own in scores.values() if len(own) >= k]
        if best:
            points.append(CurvePoint(k, interval(best, seed=seed), len(best)))
    return points
