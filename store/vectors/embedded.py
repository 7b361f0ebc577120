"""The in-process index: BM25 and FAISS side by side, fused by rank. Files are rebuildable; texts live in the store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from store.corpus_settings import FusionWeights
from store.errors import KarlError
from store.types import Hit
from store.vectors.base import IndexEntry, IndexStats, Progress
from store.vectors.chunk_texts import ChunkTexts
from store.vectors.dense import Dense
from store.vectors.embedders import Embedder
from store.vectors.lexical import Bm25, TokenizedDocs
from store.vectors.passages import lexical_text, passages
from store.vectors.ranking import Ranking, fuse

DEPTH = 100  # candidates that each ranking hands to the fusion, or 5 k if that is more


class EmbeddedIndex:
    """Searching is safe across threads; building, adding and deleting are the owner's, one at a time."""

    def __init__(self, texts: ChunkTexts, *, embedder: Embedder | None, fusion: FusionWeights) -> None:
        self.texts, self.embedder, self.fusion = texts, embedder, fusion
        self._entries: dict[int, IndexEntry] | None = {}
        self._ids: list[int] = []
        self._bm25 = Bm25.build(TokenizedDocs.of([]))
        self._dense: Dense | None = None

    def build(self, entries: Iterable[IndexEntry], *, progress: Progress | None = None) -> IndexStats:
        """Replace the contents. Equal scores rank in the order of chunk ids, whatever the order of `entries`."""
        by_id = {entry.chunk_id: entry for entry in entries}
        ordered = [by_id[chunk_id] for chunk_id in sorted(by_id)]
        bm25 = Bm25.build(TokenizedDocs.of([lexical_text(entry) for entry in ordered]))
        dense = self._embed(ordered, progress=progress)
        self._entries, self._ids = by_id, [entry.chunk_id for entry in ordered]
        self._bm25, self._dense = bm25, dense
        return self.stats()

    def _embed(self, entries: Sequence[IndexEntry], *, progress: Progress | None) -> Dense | None:
        if self.embedder is None or not entries:
            return None
        texts = [passages(entry) for entry in entries]
        owners = np.repeat(np.arange(len(entries), dtype=np.int32), [len(part) for part in texts])
        flat = [text for part in texts for text in part]
        return Dense.build(self.embedder.embed_passages(flat, progress=progress), owners_V=owners)

    def add(self, entries: Iterable[IndexEntry], *, progress: Progress | None = None) -> IndexStats:
        """BM25's weights depend on the whole corpus, so it is rebuilt; embeddings come from the cache."""
        return self.build((self._held() | {entry.chunk_id: entry for entry in entries}).values(), progress=progress)

    def delete(self, chunk_ids: Iterable[int]) -> IndexStats:
        gone = set(chunk_ids)
        return self.build([entry for chunk_id, entry in self._held().items() if chunk_id not in gone])

    def _held(self) -> dict[int, IndexEntry]:
        """What is indexed; an opened index reads it back from the store."""
        if self._entries is None:
            found = self.texts.get(self._ids)
            self._entries = {
                chunk_id: IndexEntry(chunk_id, found[chunk_id].title, found[chunk_id].text)
                for chunk_id in self._ids
                if chunk_id in found
            }
        return self._entries

    def search(self, queries: Sequence[str], *, k: int = 20, fusion: FusionWeights | None = None) -> list[list[Hit]]:
        """At most k hits a query. The score is BM25's, the cosine, or the fused one where both rankings count.

        Raises: ValueError for k below 1; KarlError if chunks vanished from the store since the index was opened.
        """
        if k < 1:
            raise ValueError(f"k is {k}; a search returns at least one hit")
        weights = fusion or self.fusion
        use_dense = self._dense is not None and weights.dense > 0
        # Without vectors BM25 is all there is, whatever its weight.
        if not use_dense:
            return [self._hits(ranking := self._bm25.rank(query, k=k), bm25=ranking) for query in queries]
        return self._search_dense(queries, k=k, weights=weights)

    def _search_dense(self, queries: Sequence[str], *, k: int, weights: FusionWeights) -> list[list[Hit]]:
        assert self._dense is not None and self.embedder is not None
        spoken = [query for query in queries if query.strip()]
        if not spoken:
            return [[] for _ in queries]
        depth = max(DEPTH, 5 * k)
        rows = self.embedder.embed_queries(spoken)
        rankings = dict(zip(spoken, self._dense.rank(rows, k=depth), strict=True))
        return [self._fused(query, rankings.get(query), k=k, depth=depth, weights=weights) for query in queries]

    def _fused(self, query: str, dense: Ranking | None, *, k: int, depth: int, weights: FusionWeights) -> list[Hit]:
        if dense is None:
            return []
        if weights.bm25 == 0:
            return self._hits(Ranking(dense.positions[:k], dense.scores[:k]), dense=dense)
        bm25 = self._bm25.rank(query, k=depth)
        fused = fuse([(weights.bm25, bm25), (weights.dense, dense)], k=k, constant=weights.constant)
        return self._hits(fused, bm25=bm25, dense=dense)

    def _hits(self, ranking: Ranking, *, bm25: Ranking | None = None, dense: Ranking | None = None) -> list[Hit]:
        ids = [self._ids[position] for position in ranking.positions.tolist()]
        found = self.texts.get(ids)
        if any(chunk_id not in found for chunk_id in ids):
            raise KarlError("the corpus was ingested again while its index was open: open the index again")
        lexical, cosine = self._by_id(bm25), self._by_id(dense)
        return [
            Hit(
                chunk_id, *found[chunk_id][:3], score, found[chunk_id].page, cosine.get(chunk_id), lexical.get(chunk_id)
            )
            for chunk_id, score in zip(ids, ranking.scores.tolist(), strict=True)
        ]

    def _by_id(self, ranking: Ranking | None) -> dict[int, float]:
        if ranking is None:
            return {}
        ids = (self._ids[position] for position in ranking.positions.tolist())
        return dict(zip(ids, ranking.scores.tolist(), strict=True))

    def stats(self) -> IndexStats:
        vectors = self._dense.index.ntotal if self._dense else 0
        return IndexStats(
            chunks=len(self._ids),
            vectors=vectors,
            dimensions=self._dense.index.d if self._dense else 0,
            embedder=self.embedder.name if self.embedder else "none",
            kind=f"bm25+{self._dense.kind}" if self._dense else "bm25",
        )

    @property
    def mean_chars(self) -> float:
        """Of a chunk's text."""
        return self.texts.chars / max(len(self._ids), 1)

    def save(self, folder: Path) -> None:
        """Into a folder that is not there yet."""
        self._bm25.save(folder / "bm25")
        if self._dense:
            self._dense.save(folder / "dense")
        np.save(folder / "ids.npy", np.asarray(self._ids, dtype=np.int64))

    @classmethod
    def load(cls, folder: Path, *, texts: ChunkTexts, embedder: Embedder | None, fusion: FusionWeights) -> Self:
        """Raises: OSError, ValueError, KeyError, RuntimeError for files that are not there or damaged."""
        index = cls(texts, embedder=embedder, fusion=fusion)
        ids: NDArray[np.int64] = np.load(folder / "ids.npy")
        index._entries, index._ids = None, ids.tolist()
        index._bm25 = Bm25.load(folder / "bm25")
        index._dense = Dense.load(folder / "dense") if embedder and len(ids) else None
        return index
