"""A segment: chunks that were indexed together. Never changed; chunks that are deleted or replaced are marked dead."""

from __future__ import annotations

import secrets
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from store.vectors.arrays import load_array, save_array
from store.vectors.base import IndexEntry, Progress
from store.vectors.dense import Dense
from store.vectors.embedders import Embedder
from store.vectors.lexical_part import LexicalPart
from store.vectors.passage_vectors import passage_vectors
from store.vectors.passages import embedded_counts, passages
from store.vectors.postings import Postings

NAME_BYTES = 8  # of a segment's name, at random
NOTHING_LOST = np.zeros((2, 0), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Segment:
    """ids_N ascending; dead_N: those that count no more; lost: words of theirs, see `LexicalPart`."""

    name: str
    ids_N: NDArray[np.int64]
    postings: Postings
    dense: Dense | None
    dead_N: NDArray[np.bool_]
    lost: NDArray[np.int64]

    @classmethod
    def of(cls, ids_N: NDArray[np.int64], postings: Postings, dense: Dense | None) -> Self:
        """A new one, all of it alive. Its name is random: what is on disk under a name never changes."""
        return cls(
            secrets.token_hex(NAME_BYTES), ids_N, postings, dense, np.zeros(len(ids_N), dtype=bool), NOTHING_LOST
        )

    @classmethod
    def build(
        cls, entries: Iterable[IndexEntry], *, embedder: Embedder | None, progress: Progress | None, kind: str = "auto"
    ) -> Self:
        """entries: ascending ids; with an embedder they are gone through twice, so that no text has to be kept.

        kind: of the vectors, see `IndexSettings`. Raises: KarlError where the second time brings others.
        """
        ids = array("q")
        postings = Postings.build(_passages(entries, ids))
        dense = _embed(entries, postings, embedder=embedder, progress=progress, kind=kind)
        return cls.of(np.array(ids, dtype=np.int64), postings, dense)

    @property
    def dead(self) -> int:
        return int(np.count_nonzero(self.dead_N))

    @property
    def alive(self) -> int:
        return len(self.ids_N) - self.dead

    @property
    def lexical(self) -> LexicalPart:
        return LexicalPart(self.ids_N, self.postings, self.dead_N, self.lost)

    def without(self, chunk_ids: NDArray[np.int64]) -> Self:
        """Marked dead where they are here; ids of other segments are ignored."""
        gone_N = np.isin(self.ids_N, chunk_ids) & ~self.dead_N
        if not gone_N.any():
            return self
        dead_N = self.dead_N | gone_N
        return replace(self, dead_N=dead_N, lost=self.postings.frequencies(dead_N))

    def among(self, chunk_ids: NDArray[np.int64]) -> Self:
        """To search in these chunks alone: their vectors, all others dead."""
        chosen_N = np.isin(self.ids_N, chunk_ids) & ~self.dead_N
        return replace(self, dead_N=~chosen_N, dense=self.dense.among(chosen_N) if self.dense else None)

    def save(self, folder: Path) -> None:
        """All but the dead. Raises: OSError."""
        self.postings.save(folder / "words")
        if self.dense:
            self.dense.save(folder / "dense")
        save_array(folder / "ids.npy", self.ids_N)

    def save_dead(self, folder: Path) -> list[str]:
        """Names of the files. More are dead each time, so their number makes a name that is new. Raises: OSError."""
        save_array(folder / dead_file(self.dead), np.flatnonzero(self.dead_N))
        save_array(folder / lost_file(self.dead), self.lost)
        return [dead_file(self.dead), lost_file(self.dead)]

    @classmethod
    def load(cls, folder: Path, *, dead: int) -> Self:
        """Raises: OSError, ValueError, RuntimeError or TypeError for files that are not there or damaged."""
        ids_N = load_array(folder / "ids.npy")
        dead_N = np.zeros(len(ids_N), dtype=bool)
        if dead:
            dead_N[load_array(folder / dead_file(dead))] = True
        lost = load_array(folder / lost_file(dead)) if dead else NOTHING_LOST
        postings = Postings.load(folder / "words")
        if len(postings.owners_D) and not 0 <= postings.owners_D[0] <= postings.owners_D[-1] < len(ids_N):
            raise ValueError(f"{folder}: passages of chunks that are not there")
        dense = Dense.load(folder / "dense") if (folder / "dense").exists() else None
        return cls(folder.name, ids_N, postings, dense, dead_N, lost)

    @classmethod
    def merge(cls, segments: Sequence[Self], *, kind: str = "auto") -> Self:
        """One of several, without their dead."""
        alive = [segment.ids_N[~segment.dead_N] for segment in segments]
        ids_N = np.sort(np.concatenate(alive))
        targets = [
            np.where(segment.dead_N, -1, np.searchsorted(ids_N, segment.ids_N).astype(np.int64)) for segment in segments
        ]
        postings = Postings.merge([segment.postings for segment in segments], targets=targets)
        return cls.of(ids_N, postings, _merged_dense(segments, targets, kind=kind))


def dead_file(dead: int) -> str:
    return f"dead-{dead}.npy"


def lost_file(dead: int) -> str:
    return f"lost-{dead}.npy"


def is_segment_name(name: str) -> bool:
    """Whether `Segment.of` may have given it."""
    return len(name) == 2 * NAME_BYTES and all(sign in "0123456789abcdef" for sign in name)


def is_dead_file(name: str) -> bool:
    return name.startswith(("dead-", "lost-"))


def _passages(entries: Iterable[IndexEntry], ids: array[int]) -> Iterator[list[str]]:
    """Of each chunk; its id goes to `ids`."""
    for entry in entries:
        ids.append(entry.chunk_id)
        yield passages(entry)


def _embed(
    entries: Iterable[IndexEntry],
    postings: Postings,
    *,
    embedder: Embedder | None,
    progress: Progress | None,
    kind: str,
) -> Dense | None:
    if embedder is None or not len(postings.owners_D):
        return None
    counts_N = embedded_counts(np.bincount(postings.owners_D))
    rows_VD = passage_vectors(entries, counts_N=counts_N, embedder=embedder, progress=progress)
    return Dense.build(rows_VD, owners_V=np.repeat(np.arange(len(counts_N), dtype=np.int32), counts_N), kind=kind)


def _merged_dense(segments: Iterable[Segment], targets: Iterable[NDArray[np.int64]], *, kind: str) -> Dense | None:
    rows, owners = [], []
    for segment, target_N in zip(segments, targets, strict=True):
        if segment.dense:
            owners_V = target_N[segment.dense.owners_V]
            rows.append(segment.dense.vectors()[owners_V >= 0])
            owners.append(owners_V[owners_V >= 0])
    if not sum(map(len, rows)):
        return None
    owners_V = np.concatenate(owners)
    order = np.argsort(owners_V, kind="stable")
    return Dense.build(np.concatenate(rows)[order], owners_V=owners_V[order].astype(np.int32), kind=kind)
