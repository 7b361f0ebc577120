"""The chunks of a corpus as an index wants them, read from the store some at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from store.models import Chunk, Document
from store.queries.common import slices, table_of
from store.session import Store
from store.vectors.base import IndexEntry
from store.vectors.chunk_texts import entry_metadata
from store.vectors.manifest import Contents

CONTENTS = np.dtype([("id", np.int64), ("hash", np.uint64)])


@dataclass(frozen=True, slots=True)
class StoredEntries:
    """Those of ids_N, in their order, as often as they are gone through; chunks that are gone are left out.

    Each slice is a transaction of its own: embedding takes hours, for which nothing may wait.
    """

    store: Store
    ids_N: NDArray[np.int64]

    def __iter__(self) -> Iterator[IndexEntry]:
        for part in slices(self.ids_N.tolist()):
            yield from self._read(part)

    def _read(self, ids: Sequence[int]) -> list[IndexEntry]:
        chunk, document = table_of(Chunk), table_of(Document)
        of_chunk = chunk.c.id, chunk.c.title, chunk.c.text, chunk.c.page, chunk.c.headings
        query = select(*of_chunk, document.c.path, document.c.properties).join(document)
        with self.store.session() as session:
            rows = session.connection().execute(query.where(chunk.c.id.in_(ids)).order_by(chunk.c.id)).fetchall()
        return [
            IndexEntry(
                row.id,
                row.title,
                row.text,
                entry_metadata(row.properties, path=row.path, page=row.page, headings=row.headings),
            )
            for row in rows
        ]


def store_contents(store: Store, corpus_id: int) -> Contents:
    """What an index of the corpus must have been built from."""
    table = table_of(Chunk)
    query = select(table.c.id, table.c.sha256).where(table.c.corpus_id == corpus_id).order_by(table.c.id)
    with store.session() as session:
        rows = session.connection().execute(query.execution_options(yield_per=10_000))
        found = np.fromiter(((chunk_id, int(sha256[:16], 16)) for chunk_id, sha256 in rows), dtype=CONTENTS)
    return Contents(found["id"].copy(), found["hash"].copy())


def index_entries(store: Store, corpus_id: int) -> StoredEntries:
    """Every chunk of the corpus in the order of ids."""
    return StoredEntries(store, store_contents(store, corpus_id).ids_N)
