"""BM25 over segments, exact: counts of words are stored, weights follow from the whole corpus as it is now.

Lucene's formula (k1 1.5, b 0.75), as bm25s has it, over passages: a chunk scores as its best one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from copy import copy
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from store.vectors.maxscore import LexicalPart, add_up, leaders
from store.vectors.postings import word_hash
from store.vectors.ranking import Ranking, merge, top
from store.vectors.tokens import tokens

WORDS_KEPT = 100_000
LOOKED_UP = 4_000  # passages of chosen chunks: so few are looked up in the words' lists


class Word(NamedTuple):
    """bounds: for each segment the word's postings from, to, and the most it adds to a document there."""

    frequency: int
    weight: float
    bounds: list[tuple[int, int, float]]


class Chosen(NamedTuple):
    """The passages of a part that are searched: norms_D is infinite for others, or only_F says which, ascending."""

    norms_D: NDArray[np.float32]
    only_F: NDArray[np.int32] | None


class Lexical:
    """Safe across threads."""

    def __init__(self, parts: Sequence[LexicalPart]) -> None:
        self._parts = parts
        lengths = [part.postings.lengths_D[~part.dead_D] for part in parts]
        self._documents = sum(map(len, lengths))
        mean = sum(int(length.sum()) for length in lengths) / max(1, self._documents)
        self._norms = [part.norms(mean=mean) for part in parts]
        self._chosen = [Chosen(norms_D, None) for norms_D in self._norms]
        self._words: dict[str, Word | None] = {}
        self._scratch: list[list[NDArray[np.float32]]] = [[] for _ in parts]

    def among(self, chosen: Sequence[NDArray[np.bool_]]) -> Lexical:
        """To search in these chunks of each part alone. Weights stay those of all, and scores with them."""
        made = copy(self)
        chosen_D = [chosen_N[part.postings.owners_D] for part, chosen_N in zip(self._parts, chosen, strict=True)]
        # What a word adds at most is looked up by all norms, and kept for all searches.
        made._chosen = [_chosen(norms_D, inside_D) for norms_D, inside_D in zip(self._norms, chosen_D, strict=True)]
        return made

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
        for part, norms_D in zip(self._parts, self._norms, strict=True):
            place = part.postings.place(hashed)
            if place is None:
                bounds.append((0, 0, 0.0))
                continue
            start, end = part.postings.starts_T[place : place + 2].tolist()
            frequency += end - start - _lost(part, place)
            bounds.append((start, end, float(part.shares(norms_D, start, end).max())))
        if frequency == 0:
            return None
        return Word(frequency, math.log(1 + (self._documents - frequency + 0.5) / (frequency + 0.5)), bounds)

    def _rank_part(self, n: int, words: Sequence[tuple[Word, int]], *, k: int) -> Ranking:
        part, (norms_D, only_F) = self._parts[n], self._chosen[n]
        present = [(word.weight * times, *word.bounds[n]) for word, times in words if word.bounds[n][1]]
        if not present:
            return Ranking.none()
        total_D = self._scratch[n].pop() if self._scratch[n] else np.zeros(len(norms_D), dtype=np.float32)
        touched, found = add_up(part, norms_D, present, total_D=total_D, k=k, only_F=only_F)
        chunks, scores = leaders(part, found, total_D, k=k)
        total_D[touched] = 0
        self._scratch[n].append(total_D)
        alive = scores > 0
        return top(part.ids_N[chunks[alive]], scores[alive], k=k)


def _chosen(norms_D: NDArray[np.float32], inside_D: NDArray[np.bool_]) -> Chosen:
    if np.count_nonzero(inside_D) <= LOOKED_UP:
        return Chosen(norms_D, np.flatnonzero(inside_D).astype(np.int32))
    return Chosen(np.where(inside_D, norms_D, np.float32(np.inf)), None)


def _lost(part: LexicalPart, place: int) -> int:
    at = int(np.searchsorted(part.lost[0], place))
    return int(part.lost[1, at]) if at < part.lost.shape[1] and part.lost[0, at] == place else 0
