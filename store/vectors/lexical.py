"""BM25 over segments, exact: counts of words are stored, weights follow from the whole corpus as it is now.

Lucene's formula (k1 1.5, b 0.75), as bm25s has it. Words are added up from the rarest on; once the words that are
left cannot lift a new document among the best k, only documents found already are looked up (MaxScore, Turtle 1995).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from store.vectors.postings import Postings, word_hash
from store.vectors.ranking import Ranking, kth_best, merge, top
from store.vectors.tokens import tokens

K1, B = 1.5, 0.75
SHORT = 4_000  # postings: adding up so few is cheaper than finding out whether it is needed
WORDS_KEPT = 100_000
LOOK_UP_COST = 50  # of one document by bisection, in entries of a list read from end to end
SLACK = 1e-4  # relative: sums in single precision must not prune a document that ties


class LexicalPart(NamedTuple):
    """A segment: ids_N ascending; dead_N: documents that count no more; lost 2 x F, words of theirs and in how many."""

    ids_N: NDArray[np.int64]
    postings: Postings
    dead_N: NDArray[np.bool_]
    lost: NDArray[np.int64]


class Word(NamedTuple):
    """bounds: for each segment the word's postings from, to, and the most it adds to a document there."""

    frequency: int
    weight: float
    bounds: list[tuple[int, int, float]]


class Lexical:
    """Safe across threads."""

    def __init__(self, parts: Sequence[LexicalPart]) -> None:
        self._parts = parts
        lengths = [part.postings.lengths_N[~part.dead_N] for part in parts]
        self._documents = sum(map(len, lengths))
        mean = sum(int(length.sum()) for length in lengths) / max(1, self._documents)
        self._norms = [_norms(part, mean=mean) for part in parts]
        self._words: dict[str, Word | None] = {}
        self._scratch: list[list[NDArray[np.float32]]] = [[] for _ in parts]

    def rank(self, query: str, *, k: int) -> Ranking:
        """At most k chunks that hold a word of the query."""
        asked = ((self._word(text), times) for text, times in Counter(tokens(query)).items())
        words = [(word, times) for word, times in asked if word is not None]
        # Rarest first, whatever the segments: sums in single precision depend on the order.
        words.sort(key=lambda item: item[0].frequency)
        return merge([self._rank_part(n, words, k=k) for n in range(len(self._parts))], k=k)

    def _word(self, text: str) -> Word | None:
        """None for one that no document holds."""
        if text not in self._words:
            if len(self._words) >= WORDS_KEPT:
                self._words.clear()
            self._words[text] = self._look_up(word_hash(text))
        return self._words.get(text)

    def _look_up(self, hashed: int) -> Word | None:
        frequency, bounds = 0, []
        for part, norms_N in zip(self._parts, self._norms, strict=True):
            place = part.postings.place(hashed)
            if place is None:
                bounds.append((0, 0, 0.0))
                continue
            start, end = part.postings.starts_T[place : place + 2].tolist()
            frequency += end - start - _lost(part, place)
            bounds.append((start, end, float(_shares(part, norms_N, start, end).max())))
        if frequency == 0:
            return None
        return Word(frequency, math.log(1 + (self._documents - frequency + 0.5) / (frequency + 0.5)), bounds)

    def _rank_part(self, n: int, words: Sequence[tuple[Word, int]], *, k: int) -> Ranking:
        part, norms_N = self._parts[n], self._norms[n]
        present = [(word.weight * times, *word.bounds[n]) for word, times in words if word.bounds[n][1]]
        if not present:
            return Ranking.none()
        total_N = self._scratch[n].pop() if self._scratch[n] else np.zeros(len(part.ids_N), dtype=np.float32)
        touched, found = _add_up(part, norms_N, present, total_N=total_N, k=k)
        scores = total_N[found]
        total_N[touched] = 0
        self._scratch[n].append(total_N)
        alive = scores > 0
        return top(part.ids_N[found[alive]], scores[alive], k=k)


def _norms(part: LexicalPart, *, mean: float) -> NDArray[np.float32]:
    """What a count is weighed against; infinite for the dead, whose every score is then 0."""
    norms_N = np.asarray(K1 * (1 - B + B * part.postings.lengths_N / max(mean, 1e-9)), dtype=np.float32)
    norms_N[part.dead_N] = np.inf
    return norms_N


def _lost(part: LexicalPart, place: int) -> int:
    at = int(np.searchsorted(part.lost[0], place))
    return int(part.lost[1, at]) if at < part.lost.shape[1] and part.lost[0, at] == place else 0


def _shares(part: LexicalPart, norms_N: NDArray[np.float32], start: int, end: int) -> NDArray[np.float32]:
    counts = part.postings.counts_P[start:end].astype(np.float32)
    return np.divide(counts, counts + norms_N.take(part.postings.docs_P[start:end]), dtype=np.float32)


def _add_up(
    part: LexicalPart,
    norms_N: NDArray[np.float32],
    words: Sequence[tuple[float, int, int, float]],
    *,
    total_N: NDArray[np.float32],
    k: int,
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Scores into total_N. Returns the documents touched, and those of them that can be among the best k, ascending."""
    rest = [*np.cumsum([weight * most for weight, _, _, most in words][::-1])[::-1].tolist(), 0.0]
    touched = np.zeros(0, dtype=np.int32)
    for n, (weight, start, end, _) in enumerate(words):
        floor = _floor(total_N.take(touched), k=k) if end - start > SHORT and rest[n] < rest[0] - rest[n] else 0.0
        if rest[n] < floor * (1 - SLACK):
            return touched, _complete(part, norms_N, words[n:], rest[n:], touched=touched, total_N=total_N, k=k)
        docs = part.postings.docs_P[start:end]
        before = total_N.take(docs)
        # A document stands at most once in a list, so a plain indexed assignment adds right.
        total_N[docs] = before + np.float32(weight) * _shares(part, norms_N, start, end)
        touched = docs if n == 0 else np.concatenate([touched, docs[before == 0]])
    return touched, np.sort(touched)


def _floor(scores: NDArray[np.float32], *, k: int) -> float:
    """The k-th best so far; 0 where fewer are found."""
    return kth_best(scores, k=k) if len(scores) >= k else 0.0


def _complete(
    part: LexicalPart,
    norms_N: NDArray[np.float32],
    words: Sequence[tuple[float, int, int, float]],
    rest: Sequence[float],
    *,
    touched: NDArray[np.int32],
    total_N: NDArray[np.float32],
    k: int,
) -> NDArray[np.int32]:
    """Add the words that are left to documents that can still be among the best k; returns these, ascending."""
    found = np.sort(_hopeful(touched, total_N, rest[0], k=k))
    marks_N = np.zeros(len(total_N), dtype=bool)
    for (weight, start, end, _), after in zip(words, rest[1:], strict=True):
        docs_P = part.postings.docs_P[start:end]
        at = _places(docs_P, found, marks_N=marks_N)
        docs, counts = docs_P[at], part.postings.counts_P[start:end][at].astype(np.float32)
        total_N[docs] += np.float32(weight) * (counts / (counts + norms_N[docs]))
        found = _hopeful(found, total_N, after, k=k)
    return found


def _places(docs_P: NDArray[np.int32], found: NDArray[np.int32], *, marks_N: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Where documents that were found stand in a word's list. Looking through the list beats looking up very many."""
    if len(found) * LOOK_UP_COST > len(docs_P):
        marks_N[found] = True
        at = np.flatnonzero(marks_N.take(docs_P))
        marks_N[found] = False
        return at
    at = np.minimum(np.searchsorted(docs_P, found), len(docs_P) - 1)
    return at[docs_P[at] == found]


def _hopeful(found: NDArray[np.int32], total_N: NDArray[np.float32], rest: float, *, k: int) -> NDArray[np.int32]:
    """Those that reach the k-th best if they get all that is left."""
    scores = total_N.take(found)
    return found[scores + rest >= _floor(scores, k=k) * (1 - SLACK)]
