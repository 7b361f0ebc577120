"""A corpus's index on a Weaviate server: our embedders' vectors and BM25 there, texts in the store."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from store.corpus_settings import FusionWeights
from store.errors import KarlError
from store.search_filter import SearchFilter
from store.types import Hit
from store.vectors.base import IndexEntry, IndexStats, Progress
from store.vectors.chunk_texts import ChunkTexts
from store.vectors.embedders import Embedder
from store.vectors.fusion import depth_for, fused
from store.vectors.ranking import Ranking
from store.vectors.tokens import tokens
from store.vectors.weaviate_import import Imported, held_chunks, reconcile, send
from store.vectors.weaviate_lease import Lease
from store.vectors.weaviate_lock import corpus_lock
from store.vectors.weaviate_manifest import Manifests, WeaviateManifest, check_dimensions
from store.vectors.weaviate_search import HybridHit, hybrid, nearest, with_words
from store.vectors.weaviate_shelf import Shelf
from store.vectors.write_lock import WAIT_SECONDS

FOLLOW_SECONDS = 5.0  # between two looks at what other processes made of the index
FILTERS_KEPT = 16  # of the last searches: ids of what they let through
MOST_NAMED = 10_000  # chunks that a request names; a filter that lets more through chooses among the best DEPTH hits
DEPTH = 1_000


class WeaviateIndex:
    """Safe across threads. texts: opened again when another process changed the corpus.

    Fused by the corpus's weights as the embedded index is, or by Weaviate with `alpha`. Raises: KarlError.
    """

    def __init__(
        self,
        shelf: Shelf,
        *,
        manifest: WeaviateManifest,
        texts: Callable[[], ChunkTexts],
        embedder: Embedder | None,
        fusion: FusionWeights,
    ) -> None:
        self.shelf, self.manifest, self.embedder, self.fusion = shelf, manifest, embedder, fusion
        self.texts, self._open_texts = texts(), texts
        self._manifests = Manifests(shelf.link)
        self._alpha = shelf.link.settings.alpha
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self._matching = lru_cache(FILTERS_KEPT)(_matching)
        self._version, self._looked = 0, time.monotonic()

    def build(self, entries: Iterable[IndexEntry], *, progress: Progress | None = None) -> IndexStats:
        """Replace the contents; objects that are there already, as they should be, stay."""
        wanted = list(entries)
        self._check_embedder()
        with self._writing() as (shelf, lease):
            done = reconcile(shelf, wanted, embedder=self.embedder, total=len(wanted), progress=progress)
            return self._finish(done, lease)

    def add(self, entries: Iterable[IndexEntry], *, progress: Progress | None = None) -> IndexStats:
        self._check_embedder()
        with self._writing() as (shelf, lease):
            sent = send(shelf, list(entries), embedder=self.embedder, held=held_chunks(shelf))
            return self._finish(_counted(shelf, sent.dimensions), lease)

    def delete(self, chunk_ids: Iterable[int]) -> IndexStats:
        with self._writing() as (shelf, lease):
            shelf.delete(chunk_ids)
            return self._finish(_counted(shelf, 0), lease)

    def search(
        self,
        queries: Sequence[str],
        *,
        k: int = 20,
        fusion: FusionWeights | None = None,
        where: SearchFilter | None = None,
    ) -> list[list[Hit]]:
        """At most k hits a query; queries go side by side. Raises: ValueError for k below 1; KarlError.

        where: exact up to MOST_NAMED chunks that it lets through.
        """
        if k < 1:
            raise ValueError(f"k is {k}; a search returns at least one hit")
        self.version()
        among = None if where is None else self._matching(self.texts, where)
        if where is None or among is None:
            return self._search(queries, k=k, fusion=fusion)
        if len(among) <= MOST_NAMED:
            return self._search(queries, k=k, fusion=fusion, among=among) if among else [[] for _ in queries]
        return [where.admits(hits)[:k] for hits in self._search(queries, k=max(k, DEPTH), fusion=fusion)]

    def _search(
        self, queries: Sequence[str], *, k: int, fusion: FusionWeights | None, among: Sequence[int] | None = None
    ) -> list[list[Hit]]:
        spoken, weights = list(dict.fromkeys(query for query in queries if query.strip())), fusion or self.fusion
        # Weights that are asked for go before the server's own way.
        alpha = self._alpha if fusion is None else None
        vectors = self._vectors(spoken) if spoken and self.embedder and weights.dense else [None] * len(spoken)
        one = partial(self._one, k=k, weights=weights, alpha=alpha, among=among)
        found = self._threads.map(one, spoken, vectors)
        by_query = dict(zip(spoken, found, strict=True))
        return [by_query.get(query, []) for query in queries]

    def _check_embedder(self) -> None:
        """Raises: KarlError before anything is written where the model gives vectors of another length."""
        if self.embedder is not None:
            self._vectors(["how many numbers"])

    def _vectors(self, queries: Sequence[str]) -> Sequence[NDArray[np.float32] | None]:
        assert self.embedder is not None
        rows_QD = self.embedder.embed_queries(queries)
        check_dimensions(rows_QD.shape[1], self.manifest)
        return list(rows_QD)

    def _one(
        self,
        query: str,
        vector_D: NDArray[np.float32] | None,
        *,
        k: int,
        weights: FusionWeights,
        alpha: float | None,
        among: Sequence[int] | None,
    ) -> list[Hit]:
        shelf, depth = self.shelf, depth_for(k)
        passages = self.manifest.objects / max(1, self.manifest.chunks)
        if vector_D is None:
            bm25 = with_words(shelf, query, k=k, passages=passages, among=among)
            return self._hits(bm25, bm25=_by_id(bm25))
        if alpha is not None and tokens(query):
            ranking, parts = hybrid(shelf, query, vector_D, k=depth, alpha=alpha, passages=passages, among=among)
            return self._hits(ranking.best(k), **_raw(parts))
        dense = nearest(shelf, vector_D, k=depth, passages=passages, among=among)
        if weights.bm25 == 0:
            return self._hits(dense.best(k), dense=_by_id(dense))
        bm25 = with_words(shelf, query, k=depth, passages=passages, among=among)
        return self._hits(fused(bm25, dense, weights=weights, k=k), dense=_by_id(dense), bm25=_by_id(bm25))

    def _hits(
        self, ranking: Ranking, *, dense: dict[int, float] | None = None, bm25: dict[int, float] | None = None
    ) -> list[Hit]:
        ids, found = ranking.ids.tolist(), self.texts.get(ranking.ids.tolist())
        return [
            found[chunk_id].hit(chunk_id, score, dense=(dense or {}).get(chunk_id), bm25=(bm25 or {}).get(chunk_id))
            for chunk_id, score in zip(ids, ranking.scores.tolist(), strict=True)
            if chunk_id in found
        ]

    @contextmanager
    def _writing(self) -> Iterator[tuple[Shelf, Lease]]:
        """With the corpus's lock, from what the last writer left."""
        corpus, link = self.manifest.corpus, self.shelf.link
        with corpus_lock(link, corpus, wait_seconds=WAIT_SECONDS) as lease:
            held = self._manifests.read(corpus) or self.manifest
            if held.place != self.manifest.place:
                raise KarlError(f"corpus {corpus!r} was indexed anew with embedder {held.embedder!r}: open it again")
            self.manifest = held.model_copy(
                update={"complete": False, "content_sha256": "", "revision": held.revision + 1}
            )
            self._manifests.write(self.manifest, lease=lease)
            yield Shelf(link, held.place, lease), lease

    def _finish(self, done: Imported, lease: Lease) -> IndexStats:
        update = {
            "complete": True,
            "chunks": done.chunks,
            "objects": done.objects,
            "dimensions": done.dimensions or self.manifest.dimensions,
        }
        manifest = self.manifest.model_copy(update=update)
        self._manifests.write(manifest, lease=lease)
        self._use(manifest)
        return self.stats()

    def stats(self) -> IndexStats:
        manifest = self.manifest
        return IndexStats(
            chunks=manifest.chunks,
            vectors=manifest.objects if manifest.dimensions else 0,
            dimensions=manifest.dimensions,
            embedder=manifest.embedder,
            kind="weaviate",
            remote=True,
        )

    def version(self) -> int:
        """Looks at the server in the background: what another process changed shows within seconds."""
        with self._lock:
            due = time.monotonic() - self._looked > FOLLOW_SECONDS
            if due:
                self._looked = time.monotonic()
        if due:
            self._threads.submit(self.follow)
        return self._version

    def follow(self) -> None:
        """Take over what another process made of the index. Raises: KarlError."""
        newer = self._manifests.read(self.manifest.corpus)
        if newer is not None and newer.complete and newer.revision != self.manifest.revision:
            self._use(newer)

    def _use(self, manifest: WeaviateManifest) -> None:
        texts = self._open_texts()
        with self._lock:
            self.manifest, self.texts = manifest, texts
            self._matching.cache_clear()
            self.shelf = Shelf(self.shelf.link, manifest.place)
            self._version += 1

    @property
    def mean_chars(self) -> float:
        """Of a chunk's text."""
        return self.texts.chars / max(1, self.manifest.chunks)

    def close(self) -> None:
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)
        self.shelf.link.close()

    @property
    def _threads(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                threads = self.shelf.link.settings.concurrency
                self._pool = ThreadPoolExecutor(threads, thread_name_prefix="karl-weaviate")
            return self._pool


def _counted(shelf: Shelf, dimensions: int) -> Imported:
    return Imported(len(held_chunks(shelf)), shelf.count(), dimensions)


def _matching(texts: ChunkTexts, where: SearchFilter) -> list[int]:
    return texts.matching(where).tolist()


def _by_id(ranking: Ranking) -> dict[int, float]:
    return dict(zip(ranking.ids.tolist(), ranking.scores.tolist(), strict=True))


def _raw(parts: dict[int, HybridHit]) -> dict[str, dict[int, float]]:
    """What each ranking said of a chunk, before Weaviate brought the scores to one scale."""
    return {
        "dense": {chunk_id: hit.dense[1] for chunk_id, hit in parts.items() if hit.dense},
        "bm25": {chunk_id: hit.bm25[1] for chunk_id, hit in parts.items() if hit.bm25},
    }
