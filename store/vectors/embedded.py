"""The in-process index: BM25 and nearest vectors side by side, fused. Texts live with the store."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from store.corpus_settings import FusionWeights
from store.search_filter import SearchFilter
from store.types import Hit
from store.vectors.base import IndexEntry, IndexStats, Progress
from store.vectors.chunk_texts import ChunkText, ChunkTexts
from store.vectors.embedders import Embedder
from store.vectors.fusion import depth_for, fused
from store.vectors.ranking import Ranking
from store.vectors.segments import Segment
from store.vectors.snapshot import Snapshot, ordered

FILTERS_KEPT = 16  # of the last searches: masks, and the few vectors that a narrow one lets through


class Ranked(NamedTuple):
    """The hits of a query, and the rankings that they come from."""

    best: Ranking
    bm25: Ranking | None = None
    dense: Ranking | None = None


class EmbeddedIndex:
    """Searching is safe across threads; building, adding and deleting are the owner's, one at a time.

    newer: asked before each search for what another process has made of the index since, None for nothing new.
    """

    def __init__(
        self,
        texts: ChunkTexts,
        *,
        embedder: Embedder | None,
        fusion: FusionWeights,
        snapshot: Snapshot | None = None,
        newer: Callable[[], Snapshot | None] | None = None,
    ) -> None:
        self.texts, self.embedder, self.fusion = texts, embedder, fusion
        self.snapshot = snapshot or Snapshot()
        self._newer = newer
        self._version = 0
        self._swap, self._looking = threading.Lock(), threading.Lock()
        self._among = lru_cache(FILTERS_KEPT)(self._narrowed)

    def build(self, entries: Iterable[IndexEntry], *, progress: Progress | None = None) -> IndexStats:
        """Replace the contents. Equal scores rank in the order of chunk ids, whatever the order of `entries`."""
        empty = Snapshot(vectors_kind=self.snapshot.vectors_kind)
        return self._use(empty.changed(self._segment(entries, progress=progress), gone=()))

    def add(self, entries: Iterable[IndexEntry], *, progress: Progress | None = None) -> IndexStats:
        """Costs what the new chunks cost. BM25 ranks as a fresh build would: weights follow from the whole corpus."""
        return self.change(entries, gone=(), progress=progress)

    def delete(self, chunk_ids: Iterable[int]) -> IndexStats:
        return self.change((), gone=chunk_ids)

    def change(
        self, entries: Iterable[IndexEntry], *, gone: Iterable[int], progress: Progress | None = None
    ) -> IndexStats:
        """Add and delete at once: a search sees both or neither."""
        return self._use(self.snapshot.changed(self._segment(entries, progress=progress), gone=gone))

    def compact(self) -> IndexStats:
        """Merge what was added and drop what was deleted; happens by itself once a quarter of the index is either."""
        return self._use(self.snapshot.compact())

    def _segment(self, entries: Iterable[IndexEntry], *, progress: Progress | None) -> Segment | None:
        by_id = ordered(entries)
        if not by_id:
            return None
        kind = self.snapshot.vectors_kind
        return Segment.build(by_id, embedder=self.embedder, progress=progress, kind=kind)

    def _use(self, snapshot: Snapshot) -> IndexStats:
        with self._swap:
            self.texts.refresh()
            self.snapshot = snapshot
            self._among.cache_clear()
            self._version += 1
        return self.stats()

    def version(self) -> int:
        """Another number after a change, another process's included."""
        # One at a time, from looking to using: a slower thread must not put back what was older.
        if self._newer and self._looking.acquire(blocking=False):
            try:
                if (snapshot := self._newer()) is not None:
                    self._use(snapshot)
            finally:
                self._looking.release()
        return self._version

    def _narrowed(self, snapshot: Snapshot, where: SearchFilter) -> Snapshot:
        return snapshot.among(self.texts.matching(where))

    def search(
        self,
        queries: Sequence[str],
        *,
        k: int = 20,
        fusion: FusionWeights | None = None,
        where: SearchFilter | None = None,
    ) -> list[list[Hit]]:
        """At most k hits a query. The score is BM25's, the cosine, or the fused one where both rankings count.

        where: BM25's score and the cosine are those of a search without it, the fused one compares the chunks that it
        lets through. Chunks that the store has lost since are left out. Raises: ValueError for k below 1.
        """
        if k < 1:
            raise ValueError(f"k is {k}; a search returns at least one hit")
        self.version()
        snapshot, weights = self.snapshot, fusion or self.fusion
        if where is not None:
            snapshot = self._among(snapshot, where)
        # Without vectors BM25 is all there is, whatever its weight.
        if not snapshot.dimensions or weights.dense == 0:
            return self._hits([Ranked(ranking, bm25=ranking) for ranking in snapshot.rank_words(queries, k=k)])
        return self._hits(self._rank_dense(snapshot, queries, k=k, weights=weights))

    def _rank_dense(
        self, snapshot: Snapshot, queries: Sequence[str], *, k: int, weights: FusionWeights
    ) -> list[Ranked]:
        assert self.embedder is not None
        spoken = [query for query in queries if query.strip()]
        if not spoken:
            return [Ranked(Ranking.none()) for _ in queries]
        depth = depth_for(k)
        dense = dict(zip(spoken, snapshot.rank_vectors(self.embedder.embed_queries(spoken), k=depth), strict=True))
        if weights.bm25 == 0:
            found = {query: Ranked(ranking.best(k), dense=ranking) for query, ranking in dense.items()}
        else:
            bm25 = dict(zip(dense, snapshot.rank_words(list(dense), k=depth), strict=True))
            found = {
                query: Ranked(fused(bm25[query], ranking, weights=weights, k=k), bm25=bm25[query], dense=ranking)
                for query, ranking in dense.items()
            }
        return [found.get(query) or Ranked(Ranking.none()) for query in queries]

    def _hits(self, found: Sequence[Ranked]) -> list[list[Hit]]:
        """With the texts of all queries from one reading."""
        texts = self.texts.get([chunk_id for ranked in found for chunk_id in ranked.best.ids.tolist()])
        return [_told(ranked, texts) for ranked in found]

    def stats(self) -> IndexStats:
        snapshot = self.snapshot
        return IndexStats(
            chunks=snapshot.chunks,
            vectors=snapshot.vectors,
            dimensions=snapshot.dimensions,
            embedder=self.embedder.name if self.embedder else "none",
            kind=snapshot.kind,
        )

    @property
    def mean_chars(self) -> float:
        """Of a chunk's text."""
        return self.texts.chars / max(self.snapshot.chunks, 1)

    def close(self) -> None:
        """Forgets what filters let through. Its files are mapped into memory: the maps end with the object."""
        self._among.cache_clear()


def _told(ranked: Ranked, texts: Mapping[int, ChunkText]) -> list[Hit]:
    bm25, dense = _by_id(ranked.bm25), _by_id(ranked.dense)
    return [
        text.hit(chunk_id, score, dense=dense.get(chunk_id), bm25=bm25.get(chunk_id))
        for chunk_id, score in zip(ranked.best.ids.tolist(), ranked.best.scores.tolist(), strict=True)
        if (text := texts.get(chunk_id)) is not None
    ]


def _by_id(ranking: Ranking | None) -> dict[int, float]:
    return dict(zip(ranking.ids.tolist(), ranking.scores.tolist(), strict=True)) if ranking is not None else {}
