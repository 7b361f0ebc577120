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

from store.vectors.lexical_part import LexicalPart
from store.vectors.part_search import AskedWord, PartSearch
from store.vectors.postings_builder import word_hash
from store.vectors.ranking import Ranking, merge
from store.vectors.tokens import tokens

WORDS_KEPT = 100_000


class Word(NamedTuple):
    """bounds: for each segment the word's postings from, to, and the most it adds to a document there."""

    frequency: int
    weight: float
    bounds: list[tuple[int, int, float]]


class Lexical:
    """Safe across threads."""

    def __init__(self, parts: Sequence[LexicalPart]) -> None:
        self._parts = parts
        lengths = [part.postings.lengths_D[~part.dead_D] for part in parts]
        self._documents = sum(map(len, lengths))
        mean = sum(int(length.sum()) for length in lengths) / max(1, self._documents)
        self._all = [PartSearch(part, part.norms(mean=mean)) for part in parts]
        self._chosen = self._all
        self._words: dict[str, Word | None] = {}

    def among(self, chosen: Sequence[NDArray[np.bool_]]) -> Lexical:
        """To search in these chunks of each part alone. Weights stay those of all, and scores with them."""
        made = copy(self)
        # What a word adds at most is looked up in all, and kept for all searches.
        made._chosen = [search.among(chosen_N) for search, chosen_N in zip(self._all, chosen, strict=True)]
        return made

    def rank(self, query: str, *, k: int) -> Ranking:
        """At most k chunks that hold a word of the query."""
        return self.rank_all([query], k=k)[0]

    def rank_all(self, queries: Sequence[str], *, k: int) -> list[Ranking]:
        """Of each query. Many are spread over the cores."""
        asked = [self._asked(query) for query in queries]
        if not self._chosen:
            return [Ranking.none() for _ in queries]
        parts = [search.rank([_here(words, n) for words in asked], k=k) for n, search in enumerate(self._chosen)]
        return [merge(rankings, k=k) for rankings in zip(*parts, strict=True)]

    def _asked(self, query: str) -> list[tuple[Word, int]]:
        """Its words, and how often it has each."""
        asked = ((self._word(text), times) for text, times in Counter(tokens(query)).items())
        words = [(word, times) for word, times in asked if word is not None]
        # Rarest first, whatever the segments: sums in single precision depend on the order.
        return sorted(words, key=lambda item: item[0].frequency)

    def _word(self, text: str) -> Word | None:
        """None for one that no document holds."""
        if text not in self._words:
            if len(self._words) >= WORDS_KEPT:
                self._words.clear()
            self._words[text] = self._look_up(word_hash(text))
        return self._words.get(text)

    def _look_up(self, hashed: int) -> Word | None:
        frequency, bounds = 0, []
        for part, search in zip(self._parts, self._all, strict=True):
            place = part.postings.place(hashed)
            if place is None:
                bounds.append((0, 0, 0.0))
                continue
            start, end = part.postings.starts_T[place : place + 2].tolist()
            frequency += end - start - _lost(part, place)
            bounds.append((start, end, search.largest_share(start, end)))
        if frequency == 0:
            return None
        return Word(frequency, math.log(1 + (self._documents - frequency + 0.5) / (frequency + 0.5)), bounds)


def _here(words: Sequence[tuple[Word, int]], n: int) -> list[AskedWord]:
    """Those that segment n holds."""
    return [AskedWord(word.weight * times, *word.bounds[n]) for word, times in words if word.bounds[n][1]]


def _lost(part: LexicalPart, place: int) -> int:
    at = int(np.searchsorted(part.lost[0], place))
    return int(part.lost[1, at]) if at < part.lost.shape[1] and part.lost[0, at] == place else 0
