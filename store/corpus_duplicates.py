"""Documents of a corpus with the same words, whatever their spacing and case: found by the hash that each row keeps."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import delete, func, select, update
from sqlmodel import Session

from store.models import Chunk, Document
from store.queries.common import slices, table_of


class Duplicate(NamedTuple):
    """`of`: the first path, in the order of names, that has the same words."""

    path: str
    of: str


def find_duplicates(session: Session, corpus_id: int) -> list[Duplicate]:
    """By path."""
    table = table_of(Document)
    readable = (table.c.corpus_id == corpus_id) & table.c.error.is_(None) & (table.c.text_sha256 != "")
    several = select(table.c.text_sha256).where(readable).group_by(table.c.text_sha256).having(func.count() > 1)
    query = select(table.c.path, table.c.text_sha256).where(readable, table.c.text_sha256.in_(several))
    first: dict[str, str] = {}
    found: list[Duplicate] = []
    for path, sha256 in sorted(session.connection().execute(query).tuples()):
        if first.setdefault(sha256, path) != path:
            found.append(Duplicate(path, first[sha256]))
    return found


def skip_duplicates(session: Session, corpus_id: int, duplicates: list[Duplicate]) -> None:
    """Take their chunks away and say why. They are read again every time: the first one may vanish."""
    chunk, document = table_of(Chunk), table_of(Document)
    connection = session.connection()
    for part in slices(duplicates):
        paths = [one.path for one in part]
        ids = select(document.c.id).where(document.c.corpus_id == corpus_id, document.c.path.in_(paths))
        connection.execute(delete(chunk).where(chunk.c.document_id.in_(ids)))
    for path, of in duplicates:
        values = {"error": f"duplicate of {of}", "sha256": "", "chunk_count": 0, "problems": []}
        where = (document.c.corpus_id == corpus_id) & (document.c.path == path)
        connection.execute(update(document).where(where).values(values))
