"""Write a corpus's documents: insert new ones, update changed ones in place, remove vanished ones, count all of it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import delete, func, select, update
from sqlmodel import Session

from store.corpus_chunks import replace_chunks
from store.corpus_duplicates import Duplicate, find_duplicates, skip_duplicates
from store.errors import KarlError
from store.models import Chunk, Corpus, Document
from store.queries.common import bulk_insert, slices, table_of
from store.queries.corpora import corpus_counts
from store.readers.base import ReadChunk, ReadDocument
from store.session import Store


class Parsed(NamedTuple):
    """A document to write: its path in the corpus, format, fingerprint ("" = look again next time) and contents."""

    path: str
    kind: str
    sha256: str
    document: ReadDocument


class Held(NamedTuple):
    """What the store has of a document."""

    id: int
    sha256: str
    chunk_count: int
    error: str | None
    problems: list[str]


class CorpusWriter:
    """Tallies of one ingestion, and the rows behind them. Each `write` is one transaction."""

    def __init__(self, store: Store, corpus_id: int) -> None:
        self.store, self.corpus_id = store, corpus_id
        self.documents = self.chunks = 0
        self.added = self.changed = self.unchanged = self.removed = 0
        self.skipped: dict[str, str] = {}
        self.problems: dict[str, list[str]] = {}
        self._claimed: set[str] = set()
        self._seen: set[str] = set()
        with store.session() as session:
            self._held = _held_documents(session, corpus_id)

    def claim(self, path: str) -> bool:
        """Whether this document is the first of its name: a file may be called what a line of another one is."""
        first = path not in self._claimed
        self._claimed.add(path)
        if not first:
            self.problems.setdefault(path, []).append("two documents have this name; the second is left out, rename it")
        return first

    def keep_unchanged(self, path: str, *, sha256: str) -> bool:
        """Whether the store has exactly this; then it is counted as it is."""
        held = self._held.get(path)
        if held is None or held.sha256 != sha256:
            return False
        self.unchanged += held.error is None
        self._tally(path, chunk_count=held.chunk_count, error=held.error, problems=held.problems)
        return True

    def _tally(self, path: str, *, chunk_count: int, error: str | None, problems: Sequence[str]) -> None:
        self._seen.add(path)
        if error is not None:
            self.skipped[path] = error
            return
        self.documents += 1
        self.chunks += chunk_count
        if problems:
            self.problems.setdefault(path, []).extend(problems)

    def write(self, batch: Sequence[Parsed]) -> None:
        """Insert or update. Raises: IntegrityError when another process wrote the same documents."""
        if not batch:
            return
        new = [parsed for parsed in batch if parsed.path not in self._held]
        with self.store.session() as session:
            bulk_insert(session, Document, rows=[_document_columns(parsed, corpus_id=self.corpus_id) for parsed in new])
            ids = _ids_by_path(session, self.corpus_id, paths=[parsed.path for parsed in batch])
            self._update(session, [parsed for parsed in batch if parsed.path in self._held])
            rows = [
                row
                for parsed in new
                for row in _chunk_columns(parsed, corpus_id=self.corpus_id, document_id=ids[parsed.path])
            ]
            bulk_insert(session, Chunk, rows=rows)
        self._count(batch)

    def _count(self, batch: Sequence[Parsed]) -> None:
        for path, _, _, document in batch:
            held = self._held.get(path)
            was_readable, is_readable = held is not None and held.error is None, document.error is None
            self.added += is_readable and not was_readable
            self.changed += is_readable and was_readable
            self.removed += was_readable and not is_readable
            self._tally(path, chunk_count=len(document.chunks), error=document.error, problems=document.problems)

    def _update(self, session: Session, batch: Sequence[Parsed]) -> None:
        document = table_of(Document)
        for parsed in batch:
            document_id = self._held[parsed.path].id
            columns = _document_columns(parsed, corpus_id=self.corpus_id)
            session.connection().execute(update(document).where(document.c.id == document_id).values(columns))
            rows = list(_chunk_columns(parsed, corpus_id=self.corpus_id, document_id=document_id))
            replace_chunks(session, document_id, rows=rows)

    def remove_vanished(self) -> None:
        """Documents of the store that no file gave in this ingestion."""
        gone = {path: held for path, held in self._held.items() if path not in self._seen}
        with self.store.session() as session:
            _delete_documents(session, [held.id for held in gone.values()])
        self.removed += sum(held.error is None for held in gone.values())

    def settle_duplicates(self, *, skip: bool) -> list[Duplicate]:
        """Documents with the words of another one; skip: they are left out, as if they could not be read."""
        with self.store.session() as session:
            found = find_duplicates(session, self.corpus_id)
            if not skip:
                return found
            written = _held_documents(session, self.corpus_id)
            skip_duplicates(session, self.corpus_id, found)
        for path, of in found:
            self._uncount(path, now=written[path], reason=f"duplicate of {of}")
        return found

    def _uncount(self, path: str, *, now: Held, reason: str) -> None:
        held = self._held.get(path)
        if held is None or held.error is not None:
            self.added -= 1
        else:
            self.removed += 1
            self.unchanged -= held.sha256 == now.sha256
            self.changed -= held.sha256 != now.sha256
        self.documents -= 1
        self.chunks -= now.chunk_count
        self.skipped[path] = reason
        self.problems.pop(path, None)

    def discard_corpus(self) -> None:
        """Take back a corpus that turned out to have nothing to read."""
        with self.store.session() as session:
            held = _held_documents(session, self.corpus_id)
            _delete_documents(session, [row.id for row in held.values()])
            session.connection().execute(delete(table_of(Corpus)).where(table_of(Corpus).c.id == self.corpus_id))

    def check_counts(self) -> None:
        """Raises: KarlError when the database does not hold what was counted."""
        chunk, document = table_of(Chunk), table_of(Document)
        claimed = select(func.coalesce(func.sum(document.c.chunk_count), 0)).where(
            document.c.corpus_id == self.corpus_id
        )
        orphans = (
            select(func.count())
            .select_from(chunk)
            .where(
                chunk.c.corpus_id == self.corpus_id,
                chunk.c.document_id.not_in(select(document.c.id).where(document.c.corpus_id == self.corpus_id)),
            )
        )
        with self.store.session() as session:
            stored = (
                *corpus_counts(session, self.corpus_id),
                *(session.execute(q).scalar_one() for q in (claimed, orphans)),
            )
        counted = (self.documents, self.chunks, len(self.skipped), self.chunks, 0)
        if stored != counted:
            what = "documents, chunks, skipped, chunks by document, chunks without document"
            raise KarlError(f"the store holds {stored} ({what}) where {counted} were read; ingest again")


def _held_documents(session: Session, corpus_id: int) -> dict[str, Held]:
    table = table_of(Document)
    query = select(
        table.c.path, table.c.id, table.c.sha256, table.c.chunk_count, table.c.error, table.c.problems
    ).where(table.c.corpus_id == corpus_id)
    return {row[0]: Held(*row[1:]) for row in session.connection().execute(query)}


def _ids_by_path(session: Session, corpus_id: int, *, paths: Iterable[str]) -> dict[str, int]:
    table, found = table_of(Document), dict[str, int]()
    for part in slices(paths):
        query = select(table.c.path, table.c.id).where(table.c.corpus_id == corpus_id, table.c.path.in_(part))
        found.update((row.path, row.id) for row in session.connection().execute(query))
    return found


def _delete_documents(session: Session, ids: Iterable[int]) -> None:
    chunk, document = table_of(Chunk), table_of(Document)
    for part in slices(ids):
        session.connection().execute(delete(chunk).where(chunk.c.document_id.in_(part)))
        session.connection().execute(delete(document).where(document.c.id.in_(part)))


def _document_columns(parsed: Parsed, *, corpus_id: int) -> dict[str, Any]:
    document = parsed.document
    return {
        "corpus_id": corpus_id,
        "path": parsed.path,
        "title": document.title,
        "kind": parsed.kind,
        "sha256": parsed.sha256,
        "chunk_count": len(document.chunks),
        "error": document.error,
        "problems": document.problems,
        "properties": dict(document.properties),
        "text_sha256": text_sha256(document),
    }


def _chunk_columns(parsed: Parsed, *, corpus_id: int, document_id: int) -> Iterable[dict[str, Any]]:
    on_page: Counter[int] = Counter()
    for n, chunk in enumerate(parsed.document.chunks):
        # By page where there is one: a page that breaks must not rename the pages after it.
        ordinal = n if chunk.page is None else chunk.page - 1
        further = f".{on_page[ordinal]}" if on_page[ordinal] else ""
        on_page[ordinal] += 1
        yield {
            "corpus_id": corpus_id,
            "document_id": document_id,
            "key": f"{parsed.path}#{ordinal}{further}",
            "ordinal": ordinal,
            "title": chunk.title,
            "page": chunk.page,
            "headings": list(chunk.headings),
            "text": chunk.text,
            "sha256": chunk_sha256(chunk),
        }


def text_sha256(document: ReadDocument) -> str:
    """Of the words in order, whatever their case and spacing; "" where there are none."""
    digest = hashlib.sha256()
    for chunk in document.chunks:
        digest.update(" ".join([*chunk.text.casefold().split(), ""]).encode())
    return digest.hexdigest() if document.chunks else ""


def chunk_sha256(chunk: ReadChunk) -> str:
    """Of all that is indexed: title, text, and a page's headings (those of other texts are in the title)."""
    headings = f"\0{' > '.join(chunk.headings)}" if chunk.page is not None and chunk.headings else ""
    return hashlib.sha256(f"{chunk.title}\0{chunk.text}{headings}".encode()).hexdigest()
