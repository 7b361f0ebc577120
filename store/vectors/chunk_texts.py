"""Titles and texts of hits, from the store: all in memory for a small corpus, the recently used ones for a large."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol

from sqlalchemy import func, select

from store.models import Chunk, Document
from store.queries.common import slices, table_of
from store.session import Store
from store.types import Hit
from store.vectors.base import IndexEntry

IN_MEMORY_CHARS = 64_000_000
KEPT = 20_000  # chunks of a large corpus


class ChunkText(NamedTuple):
    """path and metadata are the document's."""

    key: str
    title: str
    text: str
    page: int | None
    path: str = ""
    headings: tuple[str, ...] = ()
    metadata: Mapping[str, str | int] = MappingProxyType({})

    def hit(self, chunk_id: int, score: float, *, dense: float | None = None, bm25: float | None = None) -> Hit:
        return Hit(
            chunk_id,
            self.key,
            self.title,
            self.text,
            score,
            self.page,
            dense_score=dense,
            bm25_score=bm25,
            path=self.path,
            headings=self.headings,
            metadata=self.metadata,
        )

    def entry(self, chunk_id: int) -> IndexEntry:
        metadata = entry_metadata(self.metadata, path=self.path, page=self.page, headings=self.headings)
        return IndexEntry(chunk_id, self.title, self.text, metadata)


def entry_metadata(
    properties: Mapping[str, str | int], *, path: str, page: int | None, headings: Sequence[str]
) -> dict[str, str | int]:
    """The document's own properties, and beside them path, page, and headings of a page (others are in the title)."""
    found: dict[str, str | int] = {**properties, "path": path}
    if page is not None:
        found |= {"page": page, "headings": " > ".join(headings)}
    return found


class ChunkTexts(Protocol):
    """chunk ids -> texts of those that are still there."""

    @property
    def chars(self) -> int:
        """Of all texts together."""
        ...

    def get(self, chunk_ids: Sequence[int]) -> dict[int, ChunkText]: ...

    def refresh(self, chunk_ids: Sequence[int]) -> None:
        """These are new or changed."""
        ...


class StoredTexts:
    """Safe across threads."""

    def __init__(self, store: Store, *, corpus_id: int) -> None:
        self._store, self._corpus_id = store, corpus_id
        self._lock = threading.Lock()
        self._held: dict[int, ChunkText] = {}
        self.chars = self._size()
        self._complete = self.chars <= IN_MEMORY_CHARS
        if self._complete:
            self._held = self._load(None)

    def get(self, chunk_ids: Sequence[int]) -> dict[int, ChunkText]:
        held = self._held
        if self._complete:
            return held
        with self._lock:
            missing = [chunk_id for chunk_id in chunk_ids if chunk_id not in held]
            if len(held) + len(missing) > KEPT:
                held.clear()
                missing = list(chunk_ids)
            for part in slices(missing):
                held.update(self._load(part))
            return {chunk_id: held[chunk_id] for chunk_id in chunk_ids if chunk_id in held}

    def refresh(self, chunk_ids: Sequence[int]) -> None:
        with self._lock:
            self.chars = self._size()
            for chunk_id in chunk_ids:
                self._held.pop(chunk_id, None)
            if self._complete:
                for part in slices(chunk_ids):
                    self._held.update(self._load(part))

    def _size(self) -> int:
        table = table_of(Chunk)
        query = select(func.coalesce(func.sum(func.length(table.c.text)), 0)).where(
            table.c.corpus_id == self._corpus_id
        )
        with self._store.session() as session:
            return session.execute(query).scalar_one()

    def _load(self, chunk_ids: Sequence[int] | None) -> dict[int, ChunkText]:
        chunk, document = table_of(Chunk), table_of(Document)
        columns = chunk.c.id, chunk.c.key, chunk.c.title, chunk.c.text, chunk.c.page, chunk.c.headings
        query = (
            select(*columns, document.c.path, document.c.properties)
            .join(document)
            .where(chunk.c.corpus_id == self._corpus_id)
        )
        if chunk_ids is not None:
            query = query.where(chunk.c.id.in_(chunk_ids))
        with self._store.session() as session:
            rows = session.connection().execute(query)
            return {
                row.id: ChunkText(row.key, row.title, row.text, row.page, row.path, tuple(row.headings), row.properties)
                for row in rows
            }
