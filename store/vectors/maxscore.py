"""Adding up BM25 over one segment, exact for the best k chunks. A chunk scores as its best passage.

Words are added up from the rarest on; once the words that are left cannot lift a new chunk among the best k, only
passages found already are looked up (MaxScore, Turtle 1995).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from store.vectors.postings import Postings
from store.vectors.ranking import kth_best

K1, B = 1.5, 0.75
SHORT = 4_000  # postings: adding up so few is cheaper than finding out whether it is needed
LOOK_UP_COST = 50  # of one passage by bisection, in entries of a list read from end to end
FEW = 8  # times k: so few are looked up to the end sooner than it is found out which of them still count
SLACK = 1e-4  # relative: sums in single precision must not prune a passage that ties


class LexicalPart(NamedTuple):
    """A segment: ids_N ascending; dead_N: chunks that count no more; lost 2 x F: their words, in how many passages."""

    ids_N: NDArray[np.int64]
    postings: Postings
    dead_N: NDArray[np.bool_]
    lost: NDArray[np.int64]

    @property
    def plain(self) -> bool:
        """Whether every chunk is one passage."""
        return len(self.postings.owners_D) == len(self.ids_N)

    @property
    def dead_D(self) -> NDArray[np.bool_]:
        return self.dead_N[self.postings.owners_D]

    def norms(self, *, mean: float) -> NDArray[np.float32]:
        """D: what a count is weighed against; infinite for the dead, whose every score is then 0."""
        norms_D = np.asarray(K1 * (1 - B + B * self.postings.lengths_D / max(mean, 1e-9)), dtype=np.float32)
        norms_D[self.dead_D] = np.inf
        return norms_D

    def shares(self, norms_D: NDArray[np.float32], start: int, end: int) -> NDArray[np.float32]:
        """What the postings from start to end add to their passages, for a word of weight 1."""
        counts = self.postings.counts_P[start:end].astype(np.float32)
        return np.divide(counts, counts + norms_D.take(self.postings.docs_P[start:end]), dtype=np.float32)


def add_up(
    part: LexicalPart,
    norms_D: NDArray[np.float32],
    words: Sequence[tuple[float, int, int, float]],
    *,
    total_D: NDArray[np.float32],
    k: int,
    only_F: NDArray[np.int32] | None = None,
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Scores into total_D. Returns the passages touched, and those of them that can make a chunk one of the best k.

    words, rarest first: weight, from and to among the postings, and the most that the word adds to a passage.
    only_F: passages, ascending; no others are looked at.
    """
    rest = [*np.cumsum([weight * most for weight, _, _, most in words][::-1])[::-1].tolist(), 0.0]
    if only_F is not None:
        return only_F, _complete(part, norms_D, words, rest, found=only_F, total_D=total_D, k=k)
    touched = np.zeros(0, dtype=np.int32)
    for n, (weight, start, end, _) in enumerate(words):
        floor = _floor(part, touched, total_D, k=k) if end - start > SHORT and rest[n] < rest[0] - rest[n] else 0.0
        if rest[n] < floor * (1 - SLACK):
            found = np.sort(_hopeful(part, touched, total_D, rest[n], k=k))
            return touched, _complete(part, norms_D, words[n:], rest[n:], found=found, total_D=total_D, k=k)
        docs = part.postings.docs_P[start:end]
        before = total_D.take(docs)
        # A passage stands at most once in a list, so a plain indexed assignment adds right.
        total_D[docs] = before + np.float32(weight) * part.shares(norms_D, start, end)
        touched = docs if n == 0 else np.concatenate([touched, docs[before == 0]])
    return touched, touched


def leaders(
    part: LexicalPart, found: NDArray[np.int32], total_D: NDArray[np.float32], *, k: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Chunks, ascending, and their scores: the k best and what ties with them are among these."""
    scores = total_D.take(found)
    # Of chunks with one passage each k will do; of others the best passages may be one chunk's.
    wanted = k if part.plain else k + k // 2
    while wanted < len(scores):
        near = np.sort(found[scores >= kth_best(scores, k=wanted)])
        chunks, best = _best_passages(part, near, total_D)
        if len(chunks) >= k:
            return chunks, best
        wanted *= 2
    return _best_passages(part, np.sort(found), total_D)


def _floor(part: LexicalPart, found: NDArray[np.int32], total_D: NDArray[np.float32], *, k: int) -> float:
    """The k-th best chunk so far; 0 where fewer are found."""
    scores = total_D.take(found) if part.plain else leaders(part, found, total_D, k=k)[1]
    return kth_best(scores, k=k) if len(scores) >= k else 0.0


def _best_passages(
    part: LexicalPart, found: NDArray[np.int32], total_D: NDArray[np.float32]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """found ascending. Returns each of their chunks once, and the best of its scores."""
    owners, scores = part.postings.owners_D.take(found), total_D.take(found)
    if part.plain or len(found) < 2:
        return owners, scores
    first = np.flatnonzero(np.concatenate([[True], owners[1:] != owners[:-1]]))
    return owners[first], np.maximum.reduceat(scores, first)


def _complete(
    part: LexicalPart,
    norms_D: NDArray[np.float32],
    words: Sequence[tuple[float, int, int, float]],
    rest: Sequence[float],
    *,
    found: NDArray[np.int32],
    total_D: NDArray[np.float32],
    k: int,
) -> NDArray[np.int32]:
    """Add the words that are left to passages that can still count, ascending; returns those of them that do."""
    marks_D = np.zeros(len(total_D), dtype=bool)
    for (weight, start, end, _), after in zip(words, rest[1:], strict=True):
        docs_P = part.postings.docs_P[start:end]
        at = _places(docs_P, found, marks_D=marks_D)
        docs, counts = docs_P[at], part.postings.counts_P[start:end][at].astype(np.float32)
        total_D[docs] += np.float32(weight) * (counts / (counts + norms_D[docs]))
        found = _hopeful(part, found, total_D, after, k=k) if len(found) > FEW * k else found
    return found


def _places(docs_P: NDArray[np.int32], found: NDArray[np.int32], *, marks_D: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Where passages that were found stand in a word's list. Looking through the list beats looking up very many."""
    if len(found) * LOOK_UP_COST > len(docs_P):
        marks_D[found] = True
        at = np.flatnonzero(marks_D.take(docs_P))
        marks_D[found] = False
        return at
    at = np.minimum(np.searchsorted(docs_P, found), len(docs_P) - 1)
    return at[docs_P[at] == found]


def _hopeful(
    part: LexicalPart, found: NDArray[np.int32], total_D: NDArray[np.float32], rest: float, *, k: int
) -> NDArray[np.int32]:
    """Those that reach the k-th best if they get all that is left."""
    return found[total_D.take(found) + rest >= _floor(part, found, total_D, k=k) * (1 - SLACK)]
