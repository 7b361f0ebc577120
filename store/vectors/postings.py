"""Which documents of one segment hold which words, how often. Arrays that are mapped from disk, shared by processes.

A word is its 64-bit hash: among ten million words two share one with a probability of 3 in a million.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from store.vectors.arrays import load_array, save_array
from store.vectors.tokens import tokens

MOST = np.iinfo(np.uint16).max  # counts are capped here, where BM25 has long been flat


def word_hash(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")


@dataclass(frozen=True, slots=True)
class Postings:
    """words_T ascending; starts_T (T + 1) bound each word's part of docs_P (ascending positions) and counts_P.

    lengths_N: words of each document.
    """

    words_T: NDArray[np.uint64]
    starts_T: NDArray[np.int64]
    docs_P: NDArray[np.int32]
    counts_P: NDArray[np.uint16]
    lengths_N: NDArray[np.int32]

    @classmethod
    def build(cls, docs: Iterable[str]) -> Self:
        """Documents without any word are never found."""
        numbers: dict[str, int] = {}
        flat, lengths = array("i"), array("i")
        for doc in docs:
            found = tokens(doc)
            flat.extend([numbers.setdefault(word, len(numbers)) for word in found])
            lengths.append(len(found))
        hashes_T = np.fromiter(map(word_hash, numbers), dtype=np.uint64, count=len(numbers))
        words_T, place_T = np.unique(hashes_T, return_inverse=True)
        lengths_N = np.frombuffer(lengths, dtype=np.int32) if lengths else np.zeros(0, dtype=np.int32)
        owners = np.repeat(np.arange(len(lengths_N)), lengths_N)
        size = max(1, len(lengths_N))
        keys = place_T[np.frombuffer(flat, dtype=np.int32)] * size + owners if flat else np.zeros(0, dtype=np.int64)
        keys_P, counts_P = np.unique(keys, return_counts=True)
        return cls._of(words_T, keys_P, size=size, counts_P=counts_P, lengths_N=lengths_N)

    @classmethod
    def _of(
        cls,
        words_T: NDArray[np.uint64],
        keys_P: NDArray[np.int64],
        *,
        size: int,
        counts_P: NDArray[np.integer],
        lengths_N: NDArray[np.int32],
    ) -> Self:
        """keys_P: word position * size + document position, ascending."""
        places_P, docs_P = np.divmod(keys_P, size)
        return cls(
            words_T=words_T,
            starts_T=np.searchsorted(places_P, np.arange(len(words_T) + 1)),
            docs_P=docs_P.astype(np.int32),
            counts_P=np.minimum(counts_P, MOST).astype(np.uint16),
            lengths_N=lengths_N,
        )

    def place(self, hashed: int) -> int | None:
        """The position of a word among words_T."""
        place = int(np.searchsorted(self.words_T, np.uint64(hashed)))
        return place if place < len(self.words_T) and int(self.words_T[place]) == hashed else None

    def frequencies(self, documents_N: NDArray[np.bool_]) -> NDArray[np.int64]:
        """2 x F: positions of the words that the chosen documents hold, and in how many of them."""
        inside = np.flatnonzero(documents_N[self.docs_P])
        places = np.searchsorted(self.starts_T, inside, side="right") - 1
        return np.stack(np.unique(places, return_counts=True)).astype(np.int64)

    @classmethod
    def merge(cls, parts: Sequence[Self], *, targets: Sequence[NDArray[np.int64]], size: int) -> Self:
        """One of several. targets: for each part, each document's position in the result, -1 to leave it out."""
        words_T = np.unique(np.concatenate([part.words_T for part in parts]))
        keys, counts = [], []
        lengths_N = np.zeros(size, dtype=np.int32)
        for part, target_N in zip(parts, targets, strict=True):
            places_P = np.repeat(np.searchsorted(words_T, part.words_T), np.diff(part.starts_T))
            docs_P = target_N[part.docs_P]
            kept = docs_P >= 0
            keys.append(places_P[kept] * max(1, size) + docs_P[kept])
            counts.append(part.counts_P[kept])
            lengths_N[target_N[target_N >= 0]] = part.lengths_N[target_N >= 0]
        keys_P = np.concatenate(keys)
        order = np.argsort(keys_P, kind="stable")
        counts_P = np.concatenate(counts)[order]
        return cls._of(words_T, keys_P[order], size=max(1, size), counts_P=counts_P, lengths_N=lengths_N)

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        for field in fields(self):
            save_array(folder / f"{field.name}.npy", getattr(self, field.name))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Raises: OSError or ValueError for files that are not there or damaged."""
        return cls(**{field.name: load_array(folder / f"{field.name}.npy") for field in fields(cls)})
