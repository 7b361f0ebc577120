"""Which passages of one segment hold which words, how often. Arrays that are mapped from disk, shared by processes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from store.vectors.arrays import load_array, save_array
from store.vectors.postings_builder import MOST, PostingsBuilder

TYPES = {"words_T": "u8", "starts_T": "i8", "docs_P": "i4", "counts_P": "u2", "lengths_D": "i4", "owners_D": "i4"}


@dataclass(frozen=True, slots=True)
class Postings:
    """words_T ascending; starts_T (T + 1) bound each word's part of docs_P (ascending positions) and counts_P.

    A document is a passage: lengths_D in words, owners_D the position of its chunk, ascending.
    """

    words_T: NDArray[np.uint64]
    starts_T: NDArray[np.int64]
    docs_P: NDArray[np.int32]
    counts_P: NDArray[np.uint16]
    lengths_D: NDArray[np.int32]
    owners_D: NDArray[np.int32]

    @classmethod
    def build(cls, chunks: Iterable[Sequence[str]]) -> Self:
        """Of the passages of each chunk; those without any word are never found."""
        builder = PostingsBuilder()
        for passages in chunks:
            builder.add(passages)
        words_T, sizes_T, docs_P, counts_P = builder.lists()
        starts_T = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes_T)])
        return cls(words_T, starts_T, docs_P, counts_P, builder.lengths_D, builder.owners_D)

    @classmethod
    def _of(
        cls,
        words_T: NDArray[np.uint64],
        keys_P: NDArray[np.int64],
        *,
        counts_P: NDArray[np.integer],
        lengths_D: NDArray[np.int32],
        owners_D: NDArray[np.int32],
    ) -> Self:
        """keys_P: word position * number of documents + document position, ascending."""
        places_P, docs_P = np.divmod(keys_P, max(1, len(lengths_D)))
        return cls(
            words_T=words_T,
            starts_T=np.searchsorted(places_P, np.arange(len(words_T) + 1)),
            docs_P=docs_P.astype(np.int32),
            counts_P=np.minimum(counts_P, MOST).astype(np.uint16),
            lengths_D=lengths_D,
            owners_D=owners_D,
        )

    def place(self, hashed: int) -> int | None:
        """The position of a word among words_T."""
        place = int(np.searchsorted(self.words_T, np.uint64(hashed)))
        return place if place < len(self.words_T) and int(self.words_T[place]) == hashed else None

    def frequencies(self, chunks_N: NDArray[np.bool_]) -> NDArray[np.int64]:
        """2 x F: positions of the words that the chosen chunks hold, and in how many of their passages."""
        inside = np.flatnonzero(chunks_N[self.owners_D][self.docs_P])
        places = np.searchsorted(self.starts_T, inside, side="right") - 1
        return np.stack(np.unique(places, return_counts=True)).astype(np.int64)

    @classmethod
    def merge(cls, parts: Sequence[Self], *, targets: Sequence[NDArray[np.int64]]) -> Self:
        """One of several. targets: for each part, each chunk's position in the result, -1 to leave it out."""
        words_T = np.unique(np.concatenate([part.words_T for part in parts]))
        places_D, owners_D = _merged_owners(
            [target[part.owners_D] for target, part in zip(targets, parts, strict=True)]
        )
        lengths_D = np.zeros(len(owners_D), dtype=np.int32)
        keys, counts = [], []
        for part, place_D in zip(parts, places_D, strict=True):
            words_P = np.repeat(np.searchsorted(words_T, part.words_T), np.diff(part.starts_T))
            docs_P = place_D[part.docs_P]
            kept = docs_P >= 0
            keys.append(words_P[kept] * max(1, len(owners_D)) + docs_P[kept])
            counts.append(part.counts_P[kept])
            lengths_D[place_D[place_D >= 0]] = part.lengths_D[place_D >= 0]
        keys_P = np.concatenate(keys)
        order = np.argsort(keys_P, kind="stable")
        counts_P = np.concatenate(counts)[order]
        return cls._of(words_T, keys_P[order], counts_P=counts_P, lengths_D=lengths_D, owners_D=owners_D)

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        for field in fields(self):
            save_array(folder / f"{field.name}.npy", getattr(self, field.name))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Raises: OSError or ValueError for files that are not there or damaged."""
        found = cls(**{field.name: load_array(folder / f"{field.name}.npy") for field in fields(cls)})
        found._check(folder)
        return found

    def _check(self, folder: Path) -> None:
        """Compiled code trusts these. Lists themselves are looked at when they are first searched."""
        for field in fields(self):
            dtype = np.dtype(TYPES[field.name])
            array = getattr(self, field.name)
            if array.dtype != dtype or array.ndim != 1:
                raise ValueError(f"{folder}: {field.name} is no list of {dtype}")
        lists = len(self.docs_P), len(self.counts_P), int(self.starts_T[-1]) if len(self.starts_T) else -1
        if len(set(lists)) > 1 or len(self.starts_T) != len(self.words_T) + 1 or (np.diff(self.starts_T) < 0).any():
            raise ValueError(f"{folder}: lists of words that do not fit each other")
        if len(self.lengths_D) != len(self.owners_D) or (np.diff(self.owners_D) < 0).any():
            raise ValueError(f"{folder}: passages that do not fit their chunks")


def _merged_owners(targets: Sequence[NDArray[np.int64]]) -> tuple[list[NDArray[np.int64]], NDArray[np.int32]]:
    """targets: for each part, where the chunk of each of its documents goes, -1 for nowhere.

    Returns where the documents themselves go, and the chunks of all that stay. A chunk is one part's alone.
    """
    all_D = np.concatenate(targets)
    order = np.argsort(all_D, kind="stable")[np.count_nonzero(all_D < 0) :]
    places_D = np.full(len(all_D), -1, dtype=np.int64)
    places_D[order] = np.arange(len(order))
    bounds = np.cumsum([len(target) for target in targets])[:-1]
    return np.split(places_D, bounds), all_D[order].astype(np.int32)
