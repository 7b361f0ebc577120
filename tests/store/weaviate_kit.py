"""What tests of the index on Weaviate share: a small corpus, and its index there and in process."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

from store.corpus import CorpusSettings, ingest
from store.queries.corpora import corpus_by_name
from store.search_servers import WeaviateSettings
from store.session import Store
from store.vectors.base import VectorIndex
from store.vectors.chunk_texts import StoredTexts
from store.vectors.embedded import EmbeddedIndex
from store.vectors.stored_entries import index_entries
from store.vectors.weaviate_index import WeaviateIndex
from store.vectors.weaviate_link import WeaviateLink
from store.vectors.weaviate_opening import open_weaviate
from tests.store.test_vectors import HashEmbedder

NOTES = {
    "mira.md": "# Mira\n\nMira keeps the lighthouse of the north harbor.",
    "plan.md": "# Plan\n\nThe budget of the harbor team is 40,000 euros.",
    "trip.md": "# Trip\n\nWe go to Lisbon in May. " + "The train is slow. " * 80,
    "food.md": "# Food\n\nBread, salt and olives.",
}


class Server(Protocol):
    """A double, or a real one. users: closed with it."""

    users: ExitStack

    @property
    def settings(self) -> dict[str, Any]: ...


def link_to(server: Server, **changes: object) -> WeaviateLink:
    """Closed with the server."""
    link = WeaviateLink(WeaviateSettings.model_validate({**server.settings, **changes}))
    server.users.callback(link.close)
    return link


def ingested(store: Store, folder: Path, *, corpus: str = "notes") -> None:
    ingest(store, folder, name=corpus, settings=CorpusSettings(backend="weaviate"))


def opened(
    store: Store,
    server: Server,
    *,
    corpus: str = "notes",
    embedder: HashEmbedder | None = None,
    rebuild: bool = True,
    wait_seconds: float = 20.0,
    **changes: object,
) -> WeaviateIndex:
    """Closed with the server."""
    with store.session() as session:
        row = corpus_by_name(session, corpus)
    settings = WeaviateSettings.model_validate({**server.settings, **changes})
    index = open_weaviate(
        store,
        row,
        settings=settings,
        embedder=embedder or HashEmbedder(),
        progress=None,
        rebuild=rebuild,
        wait_seconds=wait_seconds,
    )
    server.users.callback(index.close)
    return index


def beside(store: Store) -> EmbeddedIndex:
    """The same corpus in process."""
    with store.session() as session:
        row = corpus_by_name(session, "notes")
    corpus_id = row.id or 0
    settings = CorpusSettings.model_validate(row.settings)
    index = EmbeddedIndex(StoredTexts(store, corpus_id=corpus_id), embedder=HashEmbedder(), fusion=settings.fusion)
    index.build(index_entries(store, corpus_id))
    return index


def found(index: VectorIndex, query: str, *, k: int = 20) -> list[str]:
    return [hit.key for hit in index.search([query], k=k)[0]]
