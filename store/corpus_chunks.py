"""Replace a document's chunks: what did not change keeps its row and id, wherever in the document it stands now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import delete, select, update
from sqlmodel import Session

from store.models import Chunk
from store.queries.common import bulk_insert, slices, table_of


class _Held(NamedTuple):
    id: int
    key: str
    text: str


def replace_chunks(session: Session, document_id: int, *, rows: Sequence[dict[str, Any]]) -> None:
    """rows: all columns but the id. A chunk takes the id of the same text, else that of its key, else a new one.

    Hits and citations of old rollouts name ids: a paragraph put in at the top must not move them all by one.
    """
    table, connection = table_of(Chunk), session.connection()
    query = select(table.c.id, table.c.key, table.c.text).where(table.c.document_id == document_id)
    held = [_Held(*row) for row in connection.execute(query.order_by(table.c.id))]
    taken = matched(held, rows)
    gone = {one.id for one in held} - taken.keys()
    for part in slices(gone):
        connection.execute(delete(table).where(table.c.id.in_(part)))
    keys = {one.id: one.key for one in held}
    moved = [chunk_id for chunk_id, row in taken.items() if keys[chunk_id] != row["key"]]
    for chunk_id in moved:  # out of the way (no path begins so): two chunks may change places, and keys are unique
        connection.execute(update(table).where(table.c.id == chunk_id).values(key=f"//{chunk_id}"))
    for chunk_id, row in taken.items():
        connection.execute(update(table).where(table.c.id == chunk_id).values(row))
    placed = {id(row) for row in taken.values()}
    bulk_insert(session, Chunk, rows=[row for row in rows if id(row) not in placed])


def matched(held: Sequence[_Held], rows: Sequence[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """id -> the row that takes it. Equal texts in their order; then, of what is left, equal keys."""
    taken: dict[int, dict[str, Any]] = {}
    left = list(rows)
    for column in ("text", "key"):
        free: dict[str, list[int]] = {}
        for one in held:
            if one.id not in taken:
                free.setdefault(getattr(one, column), []).append(one.id)
        rest: list[dict[str, Any]] = []
        for row in left:
            ids = free.get(row[column])
            if ids:
                taken[ids.pop(0)] = row
            else:
                rest.append(row)
        left = rest
    return taken
