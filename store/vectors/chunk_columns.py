"""What the chunks of a corpus say of themselves, a property at a time: which of them a filter lets through."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from functools import reduce
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from store.models import Chunk, Document
from store.queries.common import table_of
from store.search_filter import OF_CHUNKS, Accepts, SearchFilter, as_text, headings_text
from store.session import Store


class Column(NamedTuple):
    """ids_R ascending, of chunks or documents; codes_R: which of the values, each here once, is theirs."""

    ids_R: NDArray[np.int64]
    codes_R: NDArray[np.int32]
    values: list[str]

    @classmethod
    def of(cls, rows: Iterable[tuple[int, object]]) -> Self:
        """rows: ids ascending, and what they say."""
        ids, numbers, codes = [], dict[str, int](), []
        for row_id, value in rows:
            ids.append(row_id)
            codes.append(numbers.setdefault(as_text(value), len(numbers)))
        return cls(np.array(ids, dtype=np.int64), np.array(codes, dtype=np.int32), list(numbers))

    def accepted(self, accepts: Accepts) -> NDArray[np.int64]:
        """Ids, ascending: a value is looked at once, however many rows have it."""
        chosen = np.fromiter(map(accepts, self.values), dtype=bool, count=len(self.values))
        return self.ids_R[chosen[self.codes_R]]


class ChunkColumns:
    """Of a corpus as the store has it when a property is first asked for. Safe across threads."""

    def __init__(self, store: Store, *, corpus_id: int) -> None:
        self._store, self._corpus_id = store, corpus_id
        self._lock = threading.Lock()
        self._columns: dict[str, Column] = {}
        self._owners: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None

    def matching(self, where: SearchFilter) -> NDArray[np.int64]:
        """Ids of chunks, ascending."""
        with self._lock:
            found = [self._accepted(name, accepts) for name, accepts in where.tests()]
        return reduce(np.intersect1d, found)

    def _accepted(self, name: str, accepts: Accepts) -> NDArray[np.int64]:
        if name not in self._columns:
            self._columns[name] = Column.of(
                self._read_chunks(name) if name in OF_CHUNKS else self._read_documents(name)
            )
        ids = self._columns[name].accepted(accepts)
        return ids if name in OF_CHUNKS else self._chunks_of(ids)

    def _chunks_of(self, documents: NDArray[np.int64]) -> NDArray[np.int64]:
        if self._owners is None:
            rows = self._rows(table_of(Chunk), "id", "document_id")
            pairs = np.array([tuple(row) for row in rows], dtype=np.int64).reshape(-1, 2)
            self._owners = np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])
        ids_N, owners_N = self._owners
        return ids_N[np.isin(owners_N, documents)]

    def _read_chunks(self, name: str) -> Iterable[tuple[int, object]]:
        rows = self._rows(table_of(Chunk), "id", name)
        return ((row_id, headings_text(value) if name == "headings" else value) for row_id, value in rows)

    def _read_documents(self, name: str) -> Iterable[tuple[int, object]]:
        if name == "path":
            return self._rows(table_of(Document), "id", "path")
        return ((row_id, said.get(name)) for row_id, said in self._rows(table_of(Document), "id", "properties"))

    def _rows(self, table: Any, *names: str) -> list[Any]:
        query = select(*(table.c[name] for name in names)).where(table.c.corpus_id == self._corpus_id)
        with self._store.session() as session:
            return list(session.connection().execute(query.order_by(table.c.id)))
