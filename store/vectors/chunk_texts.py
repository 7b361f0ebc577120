"""Titles and texts of hits, from the store: all in memory for a small corpus, those last read for a large one."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence, Set
from types import MappingProxyType
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select

from store.models import Chunk, Document
from store.queries.common import slices, table_of
from store.search_filter import SearchFilter, headings_text
from store.session import Session, Store
from store.types import Hit
from store.vectors.base import IndexEntry
from store.vectors.chunk_columns import ChunkColumns

IN_MEMORY_CHARS = 64_000_000
KEPT_CHARS = 128_000_000  # of a large corpus

DocumentFacts = tuple[str, Mapping[str, str | int]]  # path, properties


class ChunkText(msgspec.Struct, frozen=True, gc=False):
    """path and metadata are the document's. The garbage collector need not walk through all of a corpus."""

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
        found |= {"page": page, "headings": headings_text(headings)}
    return found


class ChunkTexts(Protocol):
    """chunk ids -> texts of those that are still there."""

    @property
    def chars(self) -> int:
        """Of all texts together."""
        ...

    def get(self, chunk_ids: Sequence[int]) -> dict[int, ChunkText]: ...

    def matching(self, where: SearchFilter) -> NDArray[np.int64]:
        """Ids of the chunks that a filter lets through, ascending."""
        ...

    def refresh(self) -> None:
        """Texts, or what documents say of themselves, may be others now."""
        ...


class StoredTexts:
    """Safe across threads."""

    def __init__(self, store: Store, *, corpus_id: int) -> None:
        self._store, self._corpus_id = store, corpus_id
        self._lock = threading.Lock()
        self._held: dict[int, ChunkText] = {}
        self._documents: dict[int, DocumentFacts] = {}
        self._columns = ChunkColumns(store, corpus_id=corpus_id)
        self.chars = self._size()
        self._complete = self.chars <= IN_MEMORY_CHARS
        self._held_chars = 0
        if self._complete:
            self._hold(self._load(None))

    def get(self, chunk_ids: Sequence[int]) -> dict[int, ChunkText]:
        held = self._held
        if self._complete:
            return held
        with self._lock:
            missing = {chunk_id for chunk_id in chunk_ids if chunk_id not in held}
            for part in slices(sorted(missing)):
                self._hold(self._load(part))
            found = {chunk_id: held[chunk_id] for chunk_id in chunk_ids if chunk_id in held}
            self._drop_oldest()
            return found

    def _hold(self, texts: Mapping[int, ChunkText]) -> None:
        self._held.update(texts)
        self._held_chars += sum(len(text.text) for text in texts.values())

    def _drop_oldest(self) -> None:
        """Those read first, until what is left fits."""
        while self._held_chars > KEPT_CHARS:
            self._held_chars -= len(self._held.pop(next(iter(self._held))).text)

    def matching(self, where: SearchFilter) -> NDArray[np.int64]:
        return self._columns.matching(where)

    def refresh(self) -> None:
        self._columns = ChunkColumns(self._store, corpus_id=self._corpus_id)
        with self._lock:
            self.chars = self._size()
            self._documents, self._held_chars = {}, 0
            # Another dictionary: who reads the old one at this moment finds all that was in it.
            self._held = self._load(None) if self._complete else {}

    def _size(self) -> int:
        table = table_of(Chunk)
        query = select(func.coalesce(func.sum(func.length(table.c.text)), 0)).where(
            table.c.corpus_id == self._corpus_id
        )
        with self._store.session() as session:
            return session.execute(query).scalar_one()

    def _load(self, chunk_ids: Sequence[int] | None) -> dict[int, ChunkText]:
        chunk = table_of(Chunk)
        columns = chunk.c.id, chunk.c.document_id, chunk.c.key, chunk.c.title, chunk.c.text, chunk.c.page
        query = select(*columns, chunk.c.headings).where(chunk.c.corpus_id == self._corpus_id)
        if chunk_ids is not None:
            query = query.where(chunk.c.id.in_(chunk_ids))
        with self._store.session() as session:
            rows = session.connection().execute(query).fetchall()
            documents = self._documents_of(session, {row[1] for row in rows})
        return {
            chunk_id: ChunkText(
                key, title, text, page, documents[document_id][0], tuple(headings), documents[document_id][1]
            )
            for chunk_id, document_id, key, title, text, page, headings in rows
            if document_id in documents  # taken away since the chunks were read
        }

    def _documents_of(self, session: Session, ids: Set[int]) -> Mapping[int, DocumentFacts]:
        """Read once: many chunks are of one document."""
        document = table_of(Document)
        for part in slices(ids - self._documents.keys()):
            query = select(document.c.id, document.c.path, document.c.properties).where(document.c.id.in_(part))
            found = session.connection().execute(query)
            self._documents |= {row_id: (path, properties) for row_id, path, properties in found}
        return self._documents
