"""Many callers at once, from the question to the texts: BM25 and hybrid, beside what the embedder alone can do.

Passages have seeded vectors, since embedding so many would take hours: the figures say how fast, not how good.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karl.benches.search.growth import GivenVectors
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


class SpokenVectors(GivenVectors):
    """Passages as given, queries by a real model."""

    def __init__(self, rows_VD: NDArray[np.float32], model: Embedder) -> None:
        super().__init__(rows_VD)
        self._model = model

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._model.embed_queries(texts)


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
    rows_VD: NDArray[np.float32],
    queries: Sequence[str],
    *,
    model: Embedder | None,
    repeats: int,
) -> dict[str, Any]:
    """No query is asked twice: nothing is answered from a cache."""
    store, corpus_id, entries = stored(folder, texts)
    embedder = SpokenVectors(rows_VD, model) if model else None
    snapshot = Snapshot([Segment.build(entries, embedder=embedder, progress=None)])
    held = StoredTexts(store, corpus_id=corpus_id)
    ways = {"bm25": FusionWeights(dense=0)} | ({"hybrid": FusionWeights()} if model else {})
    parts = [queries[start :: repeats + 1] for start in range(repeats + 1)]
    turns: dict[str, list[list[float]]] = {name: [] for name in ways}
    ceilings: list[float] = []
    for turn, part in enumerate(parts):
        for name, weights in ways.items():
            index = EmbeddedIndex(held, embedder=embedder, fusion=weights, snapshot=snapshot)
            asked = asyncio.run(_asked(index, part))
            if turn:
                turns[name].append(asked)
        if model and turn:
            ceilings.append(_ceiling(model, [f"{query} {turn}" for query in part]))
    store.close()
    return {
        "callers": CALLERS,
        "chunks": len(entries),
        "kind": snapshot.kind,
        **{name: _figures(found) for name, found in turns.items()},
        "embedder_queries_per_second": round(median(ceilings), 1) if ceilings else None,
    }


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
    rates = [(len(turn) - 1) / turn[-1] for turn in turns]
    return {
        "queries_per_second": round(median(rates), 1),
        "milliseconds": percentiles([second for turn in turns for second in turn[:-1]]),
    }


def _ceiling(model: Embedder, queries: Sequence[str]) -> float:
    """Queries a second of the embedder alone, in the same batches."""
    began = time.perf_counter()
    for start in range(0, len(queries), CALLERS):
        model.embed_queries(queries[start : start + CALLERS])
    return len(queries) / (time.perf_counter() - began)
