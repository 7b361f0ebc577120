"""Which passages hold which words, worked out some at a time: memory holds the lists, and the words of one part.

A word is its 64-bit hash: among ten million words two share one with a probability of 3 in a million.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from store.vectors.tokens import tokens

WORDS_AT_ONCE = 2_000_000  # sorted together: about 60 MB while they are
HASHES_KEPT = 200_000
MOST = np.iinfo(np.uint16).max  # counts are capped here, where BM25 has long been flat


@lru_cache(HASHES_KEPT)
def word_hash(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")


class Lists(NamedTuple):
    """words_T ascending; sizes_T: how many of docs_P (ascending in each list) and counts_P are each word's."""

    words_T: NDArray[np.uint64]
    sizes_T: NDArray[np.int64]
    docs_P: NDArray[np.int32]
    counts_P: NDArray[np.uint16]


class PostingsBuilder:
    """Chunk after chunk; passages are numbered as they come."""

    def __init__(self) -> None:
        self._lengths, self._owners = array("i"), array("i")
        self._chunks = 0
        self._hashes, self._first = array("Q"), 0  # of the words that are in no list yet, and their first passage
        self._parts: list[Lists] = []

    def add(self, passages: Sequence[str]) -> None:
        """Of the next chunk."""
        for found in map(tokens, passages):
            self._hashes.extend(map(word_hash, found))
            self._lengths.append(len(found))
            self._owners.append(self._chunks)
        self._chunks += 1
        if len(self._hashes) >= WORDS_AT_ONCE:
            self._list_words()

    def lists(self) -> Lists:
        """Of all that was added."""
        self._list_words()
        parts, self._parts = self._parts, []
        return joined(parts)

    @property
    def lengths_D(self) -> NDArray[np.int32]:
        return np.array(self._lengths, dtype=np.int32)

    @property
    def owners_D(self) -> NDArray[np.int32]:
        return np.array(self._owners, dtype=np.int32)

    def _list_words(self) -> None:
        sizes = np.array(self._lengths[self._first :], dtype=np.int32)
        docs = np.repeat(np.arange(self._first, len(self._lengths), dtype=np.int32), sizes)
        self._parts.append(listed(np.array(self._hashes, dtype=np.uint64), docs))
        self._hashes, self._first = array("Q"), len(self._lengths)


def listed(hashes: NDArray[np.uint64], docs: NDArray[np.int32]) -> Lists:
    """Of words in the order of a text, each with its passage, ascending."""
    order = np.argsort(hashes, kind="stable")
    hashes, docs = hashes[order], docs[order]
    starts = np.flatnonzero(_changes(hashes) | _changes(docs))
    counts = np.diff(starts, append=len(hashes))
    words_T, sizes_T = np.unique(hashes[starts], return_counts=True)
    return Lists(words_T, sizes_T, docs[starts], np.minimum(counts, MOST).astype(np.uint16))


def joined(parts: Iterable[Lists]) -> Lists:
    """Of passages one after another."""
    left = list(parts)
    words_T = np.unique(np.concatenate([part.words_T for part in left]))
    sizes_T = np.zeros(len(words_T), dtype=np.int64)
    for part in left:
        sizes_T[np.searchsorted(words_T, part.words_T)] += part.sizes_T
    docs_P = np.empty(sizes_T.sum(), dtype=np.int32)
    counts_P = np.empty(len(docs_P), dtype=np.uint16)
    free_T = np.cumsum(sizes_T) - sizes_T  # where the next passage of each word goes
    for part in left:
        places = np.searchsorted(words_T, part.words_T)
        before = np.cumsum(part.sizes_T) - part.sizes_T
        into = np.repeat(free_T[places] - before, part.sizes_T) + np.arange(len(part.docs_P))
        docs_P[into], counts_P[into] = part.docs_P, part.counts_P
        free_T[places] += part.sizes_T
    return Lists(words_T, sizes_T, docs_P, counts_P)


def _changes(values: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Where a value is not the one before it; the first is always."""
    return np.concatenate([np.ones(min(1, len(values)), dtype=bool), values[1:] != values[:-1]])
