"""The segments of an index at one moment, searched as one. Never changed: a search sees one from end to end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from store.vectors.base import IndexEntry
from store.vectors.lexical import Lexical
from store.vectors.ranking import Ranking, merge
from store.vectors.segments import Segment

MOST_ADDITIONS = 8  # segments beside the first; more are merged among themselves
MOST_ADDED = 0.25  # of the first segment's chunks; more, or as many dead, and all becomes one segment


class Snapshot:
    """The first segment is the largest; the others were added since. vectors_kind: see `IndexSettings`."""

    def __init__(
        self, segments: Sequence[Segment] = (), *, vectors_kind: str = "auto", lexical: Lexical | None = None
    ) -> None:
        self.segments, self.vectors_kind = tuple(segments), vectors_kind
        self._lexical = lexical or Lexical([segment.lexical for segment in self.segments])
        self._dense = [segment for segment in self.segments if segment.dense]
        self.chunks = sum(segment.alive for segment in self.segments)

    @property
    def ids_N(self) -> NDArray[np.int64]:
        """Of the chunks that count, ascending."""
        alive = [segment.ids_N[~segment.dead_N] for segment in self.segments]
        return np.sort(np.concatenate(alive)) if alive else np.zeros(0, dtype=np.int64)

    @property
    def vectors(self) -> int:
        return sum(segment.dense.size for segment in self._dense if segment.dense)

    @property
    def dimensions(self) -> int:
        return self._dense[0].dense.dimensions if self._dense and self._dense[0].dense else 0

    @property
    def kind(self) -> str:
        return f"bm25+{self._dense[0].dense.kind}" if self._dense and self._dense[0].dense else "bm25"

    def rank_words(self, queries: Sequence[str], *, k: int) -> list[Ranking]:
        return self._lexical.rank_all(queries, k=k)

    def rank_vectors(self, queries_QD: NDArray[np.float32], *, k: int) -> list[Ranking]:
        parts = [
            segment.dense.rank(queries_QD, k=k, ids_N=segment.ids_N, dead_N=segment.dead_N)
            for segment in self._dense
            if segment.dense
        ]
        return [merge(rankings, k=k) for rankings in zip(*parts, strict=True)]

    def among(self, chunk_ids: NDArray[np.int64]) -> Snapshot:
        """To search in these chunks alone, no more: scores are those of a search in all, rankings are exact."""
        chosen = [segment.among(chunk_ids) for segment in self.segments]
        lexical = self._lexical.among([~segment.dead_N for segment in chosen])
        return Snapshot(chosen, vectors_kind=self.vectors_kind, lexical=lexical)

    def changed(self, added: Segment | None, *, gone: Iterable[int]) -> Snapshot:
        """Chunks that are added replace those of the same id; `gone` are left out."""
        ids = [np.fromiter(gone, dtype=np.int64), added.ids_N if added else np.zeros(0, dtype=np.int64)]
        kept = [segment.without(np.concatenate(ids)) for segment in self.segments]
        kept = [segment for segment in kept if segment.alive]
        parts = _merged_where_due([*kept, added] if added else kept, kind=self.vectors_kind)
        return Snapshot(parts, vectors_kind=self.vectors_kind)

    def compact(self) -> Snapshot:
        """One segment, without the dead."""
        parts = [Segment.merge(self.segments, kind=self.vectors_kind)] if self.segments else []
        return Snapshot(parts, vectors_kind=self.vectors_kind)


def ordered(entries: Iterable[IndexEntry]) -> list[IndexEntry]:
    """By id; of several with the same the last."""
    by_id = {entry.chunk_id: entry for entry in entries}
    return [by_id[chunk_id] for chunk_id in sorted(by_id)]


def _merged_where_due(segments: list[Segment], *, kind: str) -> list[Segment]:
    if len(segments) <= 1 and not any(segment.dead for segment in segments):
        return segments
    first, *others = segments
    if sum(segment.alive for segment in others) + sum(segment.dead for segment in segments) > MOST_ADDED * len(
        first.ids_N
    ):
        return [Segment.merge(segments, kind=kind)]
    return [first, Segment.merge(others, kind=kind)] if len(others) > MOST_ADDITIONS else segments
