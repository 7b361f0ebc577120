"""Distributions at a glance: mean, percentiles, extremes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

PERCENTILES = (50, 90, 95, 99)


class Distribution(NamedTuple):
    """Percentiles are interpolated linearly between the two values beside them."""

    values: int
    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    least: float
    most: float

    def as_dict(self, *, digits: int = 4) -> dict[str, float]:
        return {name: round(value, digits) for name, value in self._asdict().items()}


def distribution(values: Iterable[float]) -> Distribution | None:
    """None for no values: nothing was seen, which is not the same as zero."""
    listed = np.asarray(list(values), dtype=np.float64)
    if listed.size == 0:
        return None
    p50, p90, p95, p99 = (float(mark) for mark in np.percentile(listed, PERCENTILES))
    return Distribution(listed.size, float(listed.mean()), p50, p90, p95, p99, float(listed.min()), float(listed.max()))
