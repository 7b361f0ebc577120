"""Corpora, documents and chunks, read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sqlalchemy import func, select
from sqlmodel import Session

from store.errors import KarlError, UsageError
from store.models import Chunk, Corpus, Document
from store.queries.common import slices, table_of


class CorpusCounts(NamedTuple):
    documents: int
    chunks: int
    skipped: int


def corpora(session: Session) -> list[Corpus]:
    """By name."""
    return list(session.execute(select(Corpus).order_by(table_of(Corpus).c.name)).scalars())


def corpus_by_name(session: Session, name: str) -> Corpus:
    """Raises: UsageError for an unknown name, with those there are."""
    found = session.execute(select(Corpus).where(table_of(Corpus).c.name == name)).scalar_one_or_none()
    if found is None:
        known = ", ".join(corpus.name for corpus in corpora(session)) or "none; run `karl ingest PATH --name NAME`"
        raise UsageError(f"no corpus {name!r}; there are: {known}")
    return found


def corpus_counts(session: Session, corpus_id: int) -> CorpusCounts:
    """Documents with chunks, chunks, and documents that were skipped."""
    document, chunk = table_of(Document), table_of(Chunk)
    of_corpus = select(func.count()).select_from(document).where(document.c.corpus_id == corpus_id)
    chunks = select(func.count()).select_from(chunk).where(chunk.c.corpus_id == corpus_id)
    connection = session.connection()
    return CorpusCounts(
        documents=connection.execute(of_corpus.where(document.c.error.is_(None))).scalar_one(),
        chunks=connection.execute(chunks).scalar_one(),
        skipped=connection.execute(of_corpus.where(document.c.error.is_not(None))).scalar_one(),
    )


def documents(session: Session, corpus_id: int) -> list[Document]:
    """By path, skipped ones included."""
    table = table_of(Document)
    query = select(Document).where(table.c.corpus_id == corpus_id).order_by(table.c.path)
    return list(session.execute(query).scalars())


def document_properties(session: Session, corpus_id: int) -> set[str]:
    """Names of what the documents of a corpus say of themselves: author, date ..."""
    table, found = table_of(Document), set[str]()
    query = select(table.c.properties).where(table.c.corpus_id == corpus_id)
    for (properties,) in session.connection().execute(query.execution_options(yield_per=1000)):
        found.update(properties)
    return found


def corpus_sha256(session: Session, corpus_id: int) -> str:
    """Of keys and contents of all chunks; the same in every store that holds the same."""
    table, total = table_of(Chunk), 0
    query = select(table.c.key, table.c.sha256).where(table.c.corpus_id == corpus_id)
    for key, sha256 in session.connection().execute(query.execution_options(yield_per=1000)):
        # A sum, because databases sort texts in different orders.
        total += int.from_bytes(hashlib.sha256(f"{key}:{sha256}".encode()).digest(), "big")
    return hashlib.sha256(str(total).encode()).hexdigest()


def chunk_names(session: Session, corpus_id: int) -> Iterator[tuple[int, str, int | None]]:
    """(id, key, page) of every chunk in the order of ids, streamed without the texts."""
    table = table_of(Chunk)
    query = select(table.c.id, table.c.key, table.c.page).where(table.c.corpus_id == corpus_id).order_by(table.c.id)
    for row in session.connection().execute(query.execution_options(yield_per=1000)):
        yield row.id, row.key, row.page


def corpus_chunks(session: Session, corpus_id: int) -> Iterator[Chunk]:
    """Every chunk in the order of ids, streamed."""
    table = table_of(Chunk)
    query = select(Chunk).where(table.c.corpus_id == corpus_id).order_by(table.c.id)
    yield from session.execute(query.execution_options(yield_per=1000)).scalars()


def chunks_by_id(session: Session, ids: Iterable[int]) -> dict[int, Chunk]:
    """id -> chunk of those that (still) exist."""
    table, found = table_of(Chunk), dict[int, Chunk]()
    for part in slices(dict.fromkeys(ids)):
        for chunk in session.execute(select(Chunk).where(table.c.id.in_(part))).scalars():
            found[chunk.id or 0] = chunk
    return found


def chunk_by_key(session: Session, corpus_id: int, *, key: str) -> Chunk:
    """Raises: KarlError for an unknown key."""
    table = table_of(Chunk)
    query = select(Chunk).where(table.c.corpus_id == corpus_id, table.c.key == key)
    found = session.execute(query).scalar_one_or_none()
    if found is None:
        raise KarlError(f"no chunk {key!r} in this corpus")
    return found
