"""Titles and texts of hits, from the store: all in memory for a small corpus, the recently used ones for a large."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from sqlalchemy import func, select

from store.models import Chunk
from store.queries.common import slices, table_of
from store.session import Store

IN_MEMORY_CHARS = 64_000_000
KEPT = 20_000  # chunks of a large corpus


class ChunkText(NamedTuple):
    key: str
    title: str
    text: str
    page: int | None


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
        table = table_of(Chunk)
        query = select(table.c.id, table.c.key, table.c.title, table.c.text, table.c.page).where(
            table.c.corpus_id == self._corpus_id
        )
        if chunk_ids is not None:
            query = query.where(table.c.id.in_(chunk_ids))
        with self._store.session() as session:
            return {row[0]: ChunkText(*row[1:]) for row in session.connection().execute(query)}
