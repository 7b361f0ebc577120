"""The k best chunks of passages that were scored, compiled: a heap whose root is the worst of them."""

from __future__ import annotations

import numpy as np
from numba import types

from store.vectors.compiled import FLOAT, FLOATS, FLOATS_OUT, INT, INTS, INTS_OUT, compiled

BEST = types.Tuple((INTS_OUT, FLOATS_OUT))


@compiled(types.boolean(FLOAT, INT, FLOAT, INT))
def _worse(score, chunk, other_score, other_chunk):
    """Equal scores rank in the order of chunks."""
    return score < other_score or (score == other_score and chunk > other_chunk)


@compiled(types.void(INTS_OUT, FLOATS_OUT, INT, INT, FLOAT))
def _sink(chunks_K, scores_K, size, chunk, score):
    """Put a chunk in the root's place, and where it belongs below it."""
    at = 0
    while 2 * at + 1 < size:
        child = 2 * at + 1
        if child + 1 < size and _worse(scores_K[child + 1], chunks_K[child + 1], scores_K[child], chunks_K[child]):
            child += 1
        if not _worse(scores_K[child], chunks_K[child], score, chunk):
            break
        chunks_K[at], scores_K[at] = chunks_K[child], scores_K[child]
        at = child
    chunks_K[at], scores_K[at] = chunk, score


@compiled(types.void(INTS_OUT, FLOATS_OUT, INT, INT, FLOAT))
def _rise(chunks_K, scores_K, size, chunk, score):
    """Add a chunk behind the `size` that are there."""
    at = size
    while at > 0:
        parent = (at - 1) // 2
        if not _worse(score, chunk, scores_K[parent], chunks_K[parent]):
            break
        chunks_K[at], scores_K[at] = chunks_K[parent], scores_K[parent]
        at = parent
    chunks_K[at], scores_K[at] = chunk, score


@compiled(BEST(INTS, FLOATS, INTS, FLOATS_OUT, INT, FLOAT))
def heap_of_best(found_F, total_D, owners_D, best_N, k, least):
    """At most k chunks of the passages found, each once with its best score, as a heap: the first is the worst.

    best_N: zeros, and again afterwards; empty where every chunk is one passage.
    least: above 0, and no more than the k-th best chunk has; others are passed over.
    """
    several = len(best_N) > 0
    if several:
        for passage in found_F:
            if total_D[passage] >= least:
                owner = owners_D[passage]
                best_N[owner] = max(best_N[owner], total_D[passage])
    chunks_K, scores_K = np.empty(min(k, len(found_F)), np.int32), np.empty(min(k, len(found_F)), np.float32)
    size = 0
    for passage in found_F:
        score = total_D[passage]
        if score < least:
            continue
        chunk = owners_D[passage]
        if several:
            score, best_N[chunk] = best_N[chunk], np.float32(0)
        if size < len(chunks_K):
            if score > 0:
                _rise(chunks_K, scores_K, size, chunk, score)
                size += 1
        elif _worse(scores_K[0], chunks_K[0], score, chunk):
            _sink(chunks_K, scores_K, size, chunk, score)
            least = max(least, scores_K[0]) if not several else least
    return chunks_K[:size], scores_K[:size]


@compiled(BEST(INTS_OUT, FLOATS_OUT))
def best_first(chunks_K, scores_K):
    """A heap, in order."""
    for size in range(len(chunks_K) - 1, 0, -1):
        chunk, score = chunks_K[size], scores_K[size]
        chunks_K[size], scores_K[size] = chunks_K[0], scores_K[0]
        _sink(chunks_K, scores_K, size, chunk, score)
    return chunks_K, scores_K
