"""Many callers at once, from the question to the texts: BM25, hybrid, and what the embedder alone can do.

Passages have seeded vectors, since embedding so many would take hours: the figures say how fast, not how good.
`hybrid_vectors_given` is hybrid without the embedder's share: what an embedder on a GPU or a server could reach.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from karl.benches.embed import questions
from karl.benches.search.data import Vectors
from karl.benches.search.given import GivenVectors, SpokenVectors
from karl.benches.search.turns import percentiles
from store.corpus_settings import FusionWeights
from store.models import Chunk, Corpus, Document
from store.session import Store
from store.vectors.base import IndexEntry
from store.vectors.batching import AsyncSearcher
from store.vectors.chunk_texts import StoredTexts
from store.vectors.embedded import EmbeddedIndex
from store.vectors.embedders import Embedder
from store.vectors.segments import Segment
from store.vectors.snapshot import Snapshot

CALLERS = 64
ROWS_AT_ONCE = 5_000


def stored(folder: Path, texts: Sequence[str]) -> tuple[Store, int, list[IndexEntry]]:
    """A store of one corpus with these chunks."""
    store = Store.open(f"sqlite:///{folder}/karl.db")
    with store.session() as session:
        corpus = Corpus(name="bench", source=str(folder))
        session.add(corpus)
        session.flush()
        document = Document(corpus_id=corpus.id or 0, path="bench", sha256="", chunk_count=len(texts))
        session.add(document)
        session.flush()
        corpus_id, document_id = corpus.id or 0, document.id or 0
    entries: list[IndexEntry] = []
    for start in range(0, len(texts), ROWS_AT_ONCE):
        with store.session() as session:
            chunks = [
                Chunk(
                    corpus_id=corpus_id, document_id=document_id, key=f"bench#{n}", ordinal=n, text=texts[n], sha256=""
                )
                for n in range(start, min(start + ROWS_AT_ONCE, len(texts)))
            ]
            session.add_all(chunks)
            session.flush()
            entries.extend(IndexEntry(chunk.id or 0, "", chunk.text) for chunk in chunks)
    return store, corpus_id, entries


def callers(
    folder: Path,
    texts: Sequence[str],
    vectors: Vectors,
    queries: Sequence[str],
    *,
    model: Embedder | None,
    repeats: int,
) -> dict[str, Any]:
    """No query is asked twice: nothing is answered from a cache. The first turn meets texts that nobody has read."""
    store, corpus_id, entries = stored(folder, texts)
    given = GivenVectors(*vectors)
    snapshot = Snapshot([Segment.build(entries, embedder=given, progress=None)])
    ways = _ways(StoredTexts(store, corpus_id=corpus_id), snapshot, given, model=model)
    parts = [queries[start :: repeats + 1] for start in range(repeats + 1)]
    turns: dict[str, list[list[float]]] = {name: [] for name in ways}
    ceilings: list[float] = []
    for turn, part in enumerate(parts):
        for name, index in ways.items():
            turns[name].append(asyncio.run(_asked(index, part)))
        if model and turn:
            ceilings.append(_ceiling(model, questions(f"alone {turn}", len(part))))
    store.close()
    return {
        "callers": CALLERS,
        "chunks": len(entries),
        "kind": snapshot.kind,
        "bm25_cold_queries_per_second": round(_rate(turns["bm25"][0]), 1),
        **{name: _figures(found[1:]) for name, found in turns.items()},
        "embedder_queries_per_second": round(median(ceilings), 1) if ceilings else None,
    }


def _ways(
    texts: StoredTexts, snapshot: Snapshot, given: GivenVectors, *, model: Embedder | None
) -> dict[str, EmbeddedIndex]:
    """BM25 first: its first turn is the one that reads texts from the store. `hybrid` needs a real embedder."""

    def index(embedder: GivenVectors, fusion: FusionWeights) -> EmbeddedIndex:
        return EmbeddedIndex(texts, embedder=embedder, fusion=fusion, snapshot=snapshot)

    found = {"bm25": index(given, FusionWeights(dense=0)), "hybrid_vectors_given": index(given, FusionWeights())}
    return found | ({"hybrid": index(SpokenVectors(given.rows_VD, model), FusionWeights())} if model else {})


async def _asked(index: EmbeddedIndex, queries: Sequence[str]) -> list[float]:
    """Seconds of every query, the whole turn's last. Each caller asks its next question when it has its answer."""
    left = iter(queries)
    seconds: list[float] = []

    async def caller(searcher: AsyncSearcher) -> None:
        for query in left:
            began = time.perf_counter()
            await searcher.search(query, 20)
            seconds.append(time.perf_counter() - began)

    began = time.perf_counter()
    with AsyncSearcher(index, max_batch=CALLERS) as searcher:
        await asyncio.gather(*(caller(searcher) for _ in range(CALLERS)))
    return [*seconds, time.perf_counter() - began]


def _figures(turns: Sequence[list[float]]) -> dict[str, Any]:
    return {
        "queries_per_second": round(median([_rate(turn) for turn in turns]), 1),
        "milliseconds": percentiles([second for turn in turns for second in turn[:-1]]),
    }


def _rate(turn: Sequence[float]) -> float:
    return (len(turn) - 1) / turn[-1]


def _ceiling(model: Embedder, queries: Sequence[str]) -> float:
    """Queries a second of the embedder alone, in the same batches."""
    began = time.perf_counter()
    for start in range(0, len(queries), CALLERS):
        model.embed_queries(queries[start : start + CALLERS])
    return len(queries) / (time.perf_counter() - began)
