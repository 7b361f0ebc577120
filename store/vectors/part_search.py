"""BM25 in one segment: queries made into arrays for the compiled search, each thread with arrays to add up in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from store.errors import KarlError
from store.vectors.lexical_part import LexicalPart
from store.vectors.ranking import Ranking
from store.vectors.spread import spread

LOOKED_UP = 4_000  # passages of chosen chunks: so few are looked up in the words' lists
NO_PASSAGES = np.zeros(0, dtype=np.int32)


class AskedWord(NamedTuple):
    """A word of a query: its postings are those from start to end, and most is what a weight of 1 adds to one."""

    weight: float
    start: int
    end: int
    most: float


class Sums(NamedTuple):
    """What a search adds up in, zeros before and after: D scores of passages, N of chunks where some have several."""

    total_D: NDArray[np.float32]
    best_N: NDArray[np.float32]


class PartSearch:
    """Safe across threads. norms_D: see `LexicalPart`; only_F: no other passages are looked at, ascending."""

    def __init__(
        self, part: LexicalPart, norms_D: NDArray[np.float32], *, only_F: NDArray[np.int32] | None = None
    ) -> None:
        self._part, self._norms_D, self._only_F = part, norms_D, only_F
        self._sums: list[Sums] = []

    def among(self, chosen_N: NDArray[np.bool_]) -> Self:
        """To search in these chunks alone: a few are looked up, of many the others get a norm of infinity."""
        chosen_D = chosen_N[self._part.postings.owners_D]
        if np.count_nonzero(chosen_D) <= LOOKED_UP:
            return type(self)(self._part, self._norms_D, only_F=np.flatnonzero(chosen_D).astype(np.int32))
        return type(self)(self._part, np.where(chosen_D, self._norms_D, np.float32(np.inf)))

    def largest_share(self, start: int, end: int) -> float:
        """The most that a word of weight 1 with these postings adds to a passage. Raises: KarlError where damaged."""
        from store.vectors.maxscore import largest_share  # compiled when first needed

        postings = self._part.postings
        most = float(largest_share(postings.docs_P[start:end], postings.counts_P[start:end], self._norms_D))
        if most < 0:
            raise KarlError(
                "the search index is damaged; `karl ingest PATH --name NAME --verify` reads it whole and builds it anew"
            )
        return most

    def rank(self, queries: Sequence[Sequence[AskedWord]], *, k: int) -> list[Ranking]:
        """At most k chunks for each query, rarest word first. Many queries are spread over the cores."""
        return spread(lambda share: self._rank(share, k=min(k, len(self._part.ids_N))), queries)

    def _rank(self, queries: Sequence[Sequence[AskedWord]], *, k: int) -> list[Ranking]:
        from store.vectors.maxscore import rank_queries

        chunks_QK = np.zeros((len(queries), k), dtype=np.int32)
        scores_QK, sizes_Q = np.empty(chunks_QK.shape, dtype=np.float32), np.empty(len(queries), dtype=np.int32)
        postings, sums = self._part.postings, self._take_sums()
        rank_queries(
            *(postings.docs_P, postings.counts_P, self._norms_D, postings.owners_D),
            *_flat(queries),
            *(self._only_F is not None, NO_PASSAGES if self._only_F is None else self._only_F),
            *sums,
            *(chunks_QK, scores_QK, sizes_Q),
        )
        self._sums.append(sums)
        ids_QK = self._part.ids_N[chunks_QK]
        return [Ranking(ids_QK[n, :size], scores_QK[n, :size]) for n, size in enumerate(sizes_Q.tolist())]

    def _take_sums(self) -> Sums:
        """Another thread's search has others."""
        try:
            return self._sums.pop()
        except IndexError:
            chunks = 0 if self._part.plain else len(self._part.ids_N)
            return Sums(np.zeros(len(self._norms_D), np.float32), np.zeros(chunks, np.float32))


class Flat(NamedTuple):
    """Queries one after another: see `rank_queries`."""

    starts_Q: NDArray[np.int64]
    bounds_2W: NDArray[np.int64]
    weights_W: NDArray[np.float32]
    rest_W: NDArray[np.float32]


def _flat(queries: Sequence[Sequence[AskedWord]]) -> Flat:
    starts, bounds, weights, rest = [0], [], [], []
    for words in queries:
        left = 0.0
        rest.extend([left := left + word.weight * word.most for word in reversed(words)][::-1])
        for word in words:
            bounds += word.start, word.end
            weights.append(word.weight)
        starts.append(len(weights))
    return Flat(
        np.array(starts, dtype=np.int64),
        np.array(bounds, dtype=np.int64),
        np.array(weights, dtype=np.float32),
        np.array(rest, dtype=np.float32),
    )
