"""BM25 over one segment, compiled: exact for the best k chunks. A chunk scores as its best passage.

Words are added up from the rarest on; once the words that are left cannot lift a new chunk among the best k, only
passages found already are looked up (MaxScore, Turtle 1995).

Names as in `Postings`; F: passages that a query found; W: the words of a query, or of many one after another.
"""

from __future__ import annotations

import numpy as np
from numba import types

from store.vectors.compiled import (
    COUNTS,
    FLOAT,
    FLOAT_ROWS_OUT,
    FLOATS,
    FLOATS_OUT,
    INT,
    INT_ROWS_OUT,
    INTS,
    INTS_OUT,
    PLACES,
    compiled,
)
from store.vectors.topk import BEST, best_first, heap_of_best

SLACK = np.float32(1 - 1e-4)  # sums in single precision must not prune a passage that ties
ANY = np.finfo(np.float32).tiny  # a score that no passage with a word is below
SHORT = 1_000  # postings: adding up so few is cheaper than finding out whether it is needed
LOOK_UP_COST = 16  # of one passage by bisection, in entries of a list read from end to end


@compiled(FLOAT(INTS, COUNTS, FLOATS))
def largest_share(docs_P, counts_P, norms_D):
    """The most that a word of weight 1 adds to a passage; -1 for a list that is none, which nothing may follow.

    No index is checked in compiled code, so this looks at a word's list before anything else does.
    """
    most, last = np.float32(0), np.int64(-1)
    for n in range(len(docs_P)):
        passage, count = np.int64(docs_P[n]), np.float32(counts_P[n])
        if passage <= last or passage >= len(norms_D):
            return np.float32(-1)
        most, last = max(most, count / (count + norms_D[passage])), passage
    return most


@compiled(INT(INTS, COUNTS, FLOATS, FLOAT, FLOATS_OUT, INTS_OUT, INT))
def _add_word(docs_P, counts_P, norms_D, weight, total_D, touched_F, size):
    """Returns how many passages are touched now, of which `size` were before."""
    for n in range(len(docs_P)):
        passage, count = docs_P[n], np.float32(counts_P[n])
        before, share = total_D[passage], count / (count + norms_D[passage])
        # Without branches, which cost more than the sums. The dead have a norm of infinity, and no share.
        touched_F[size] = passage
        size += (before == 0) & (share > 0)
        total_D[passage] = before + weight * share
    return size


@compiled(types.void(INTS, COUNTS, FLOATS, FLOAT, FLOATS_OUT, INTS))
def _look_up(docs_P, counts_P, norms_D, weight, total_D, found_F):
    """Add a word to these passages alone."""
    for passage in found_F:
        at = np.searchsorted(docs_P, passage)
        if at < len(docs_P) and docs_P[at] == passage:
            count = np.float32(counts_P[at])
            total_D[passage] += weight * (count / (count + norms_D[passage]))


@compiled(types.void(INTS, COUNTS, FLOATS, FLOAT, FLOATS_OUT, FLOAT))
def _look_through(docs_P, counts_P, norms_D, weight, total_D, least):
    """Add a word to the passages that have `least`."""
    for n in range(len(docs_P)):
        passage = docs_P[n]
        if total_D[passage] >= least:
            count = np.float32(counts_P[n])
            total_D[passage] += weight * (count / (count + norms_D[passage]))


@compiled(FLOAT(INTS, FLOATS, INTS, FLOATS_OUT, INT, FLOAT))
def _floor(found_F, total_D, owners_D, best_N, k, before):
    """The k-th best chunk so far, none worse than it was before; what it was where fewer are found."""
    _, scores_K = heap_of_best(found_F, total_D, owners_D, best_N, k, before)
    return scores_K[0] if len(scores_K) == k else before


@compiled(INTS_OUT(INTS, FLOATS, FLOAT))
def _hopeful(found_F, total_D, least):
    """Those that have `least`."""
    kept_F, size = np.empty(len(found_F), np.int32), 0
    for passage in found_F:
        if total_D[passage] >= least:
            kept_F[size] = passage
            size += 1
    return kept_F[:size]


@compiled(BEST(INTS, COUNTS, FLOATS, INTS, PLACES, FLOATS, FLOATS, FLOATS_OUT, FLOATS_OUT, INT))
def _best_of_all(docs_P, counts_P, norms_D, owners_D, bounds_2W, weights_W, rest_W, total_D, best_N, k):
    lengths_W = bounds_2W[1::2] - bounds_2W[::2]
    touched_F = np.empty(min(lengths_W.sum(), len(total_D)) + 1, np.int32)
    size, pruned_at, floor = 0, len(weights_W), ANY
    for n in range(len(weights_W)):
        if lengths_W[n] > SHORT and rest_W[n] < rest_W[0] - rest_W[n]:
            floor = _floor(touched_F[:size], total_D, owners_D, best_N, k, floor)
            if rest_W[n] < floor * SLACK:
                pruned_at = n
                break
        part = slice(bounds_2W[2 * n], bounds_2W[2 * n + 1])
        size = _add_word(docs_P[part], counts_P[part], norms_D, weights_W[n], total_D, touched_F, size)
    found_F = touched_F[:size]
    for n in range(pruned_at, len(weights_W)):
        least = floor * SLACK - rest_W[n]
        found_F = _hopeful(found_F, total_D, least)
        part = slice(bounds_2W[2 * n], bounds_2W[2 * n + 1])
        if len(found_F) * LOOK_UP_COST > lengths_W[n]:
            _look_through(docs_P[part], counts_P[part], norms_D, weights_W[n], total_D, least)
        else:
            _look_up(docs_P[part], counts_P[part], norms_D, weights_W[n], total_D, found_F)
        floor = _floor(found_F, total_D, owners_D, best_N, k, floor)
    chunks_K, scores_K = heap_of_best(found_F, total_D, owners_D, best_N, k, floor)
    for passage in touched_F[:size]:
        total_D[passage] = 0
    return best_first(chunks_K, scores_K)


@compiled(BEST(INTS, COUNTS, FLOATS, INTS, PLACES, FLOATS, FLOATS_OUT, FLOATS_OUT, INT, INTS))
def _best_among(docs_P, counts_P, norms_D, owners_D, bounds_2W, weights_W, total_D, best_N, k, only_F):
    for n in range(len(weights_W)):
        part = slice(bounds_2W[2 * n], bounds_2W[2 * n + 1])
        _look_up(docs_P[part], counts_P[part], norms_D, weights_W[n], total_D, only_F)
    chunks_K, scores_K = heap_of_best(only_F, total_D, owners_D, best_N, k, ANY)
    for passage in only_F:
        total_D[passage] = 0
    return best_first(chunks_K, scores_K)


LISTS = (INTS, COUNTS, FLOATS, INTS)
ASKED = (PLACES, PLACES, FLOATS, FLOATS, types.boolean, INTS)


@compiled(types.void(*LISTS, *ASKED, FLOATS_OUT, FLOATS_OUT, INT_ROWS_OUT, FLOAT_ROWS_OUT, INTS_OUT))
def rank_queries(
    docs_P,
    counts_P,
    norms_D,
    owners_D,
    starts_Q,
    bounds_2W,
    weights_W,
    rest_W,
    chosen,
    only_F,
    total_D,
    best_N,
    chunks_QK,
    scores_QK,
    sizes_Q,
):
    """For each query the best of the chunks that hold a word of it, best first, their scores, and how many they are.

    starts_Q (Q + 1): which of the words are a query's. bounds_2W: where each one's postings begin and end; rest_W: the
    most that it and those after it add to a passage. chosen: only_F are all passages that are looked at.
    total_D, best_N: zeros, and again afterwards; best_N is empty where every chunk is one passage.
    """
    k = chunks_QK.shape[1]
    for query in range(len(sizes_Q)):
        start, end = starts_Q[query], starts_Q[query + 1]
        asked = bounds_2W[2 * start : 2 * end], weights_W[start:end]
        if chosen:
            found = _best_among(docs_P, counts_P, norms_D, owners_D, *asked, total_D, best_N, k, only_F)
        else:
            rest = rest_W[start:end]
            found = _best_of_all(docs_P, counts_P, norms_D, owners_D, *asked, rest, total_D, best_N, k)
        size = len(found[0])
        chunks_QK[query, :size], scores_QK[query, :size] = found
        sizes_Q[query] = size
