"""Rivals by turns over the same queries: queries a second in batches, milliseconds one at a time, recall."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karl.benches.search.data import Vectors
from karl.benches.search.rivals import Rival

K = 20
BATCH = 64  # as many callers as wait for an answer
ALONE = 200  # queries one at a time


def race(
    rivals: Sequence[Rival], vectors: Vectors, *, nearest_QK: NDArray[np.int64], repeats: int
) -> dict[str, dict[str, Any]]:
    """Each has a turn in each repeat; a first one warms up and is not timed."""
    rates: dict[str, list[float]] = {rival.name: [] for rival in rivals}
    found: dict[str, list[Sequence[int]]] = {}
    for repeat in range(repeats + 1):
        for rival in rivals:
            began = time.perf_counter()
            found[rival.name] = _searched(rival, vectors.queries_QD)
            if repeat:
                rates[rival.name].append(len(found[rival.name]) / (time.perf_counter() - began))
    return {
        rival.name: {
            **rival.facts,
            "queries_per_second": round(float(np.median(rates[rival.name])), 1),
            "recall_at_20": round(recall(found[rival.name], nearest_QK), 4),
            "milliseconds": latency(lambda query, rival=rival: rival.search(query, K), vectors, most=rival.most),
        }
        for rival in rivals
    }


def _searched(rival: Rival, queries_QD: NDArray[np.float32]) -> list[Sequence[int]]:
    asked = queries_QD[: rival.most]
    return [row for start in range(0, len(asked), BATCH) for row in rival.search(asked[start : start + BATCH], K)]


def recall(found: Sequence[Sequence[int]], nearest_QK: NDArray[np.int64]) -> float:
    """Of the K nearest, the share that was found, over queries."""
    return float(
        np.mean(
            [
                len(set(row) & set(exact)) / K
                for row, exact in zip(found, nearest_QK[: len(found)].tolist(), strict=True)
            ]
        )
    )


def latency(search: Callable[[NDArray[np.float32]], object], vectors: Vectors, *, most: int) -> dict[str, float]:
    """Of one query alone."""
    seconds = []
    for query_D in vectors.queries_QD[: min(most, ALONE)]:
        began = time.perf_counter()
        search(query_D[None])
        seconds.append(time.perf_counter() - began)
    return percentiles(seconds)


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Milliseconds."""
    return {f"p{q}": round(1000 * float(np.percentile(seconds, q)), 3) for q in (50, 90, 99)}
