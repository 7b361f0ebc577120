"""Ingest a folder: read what is new or changed, remove what vanished, check the counts against the database.

Files -> readers -> ReadDocument -> `corpus_write` -> Document and Chunk rows. Vectors are built later, from the rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from store.chunking.cut import cut
from store.corpus_duplicates import Duplicate
from store.corpus_files import SourceFile, find_files, fingerprint
from store.corpus_settings import CorpusSettings, FusionWeights
from store.corpus_write import CorpusWriter, Parsed
from store.errors import KarlError, UsageError
from store.models import Corpus, now
from store.queries.common import table_of
from store.readers.base import ReadDocument, Reader, ReadError, read_bytes
from store.session import Store

__all__ = ["CorpusSettings", "FusionWeights", "IngestProgress", "IngestReport", "Skipped", "ingest"]

BATCH = 256  # documents a transaction


class IngestProgress(NamedTuple):
    """`done` of `total` files are read; `chunks` so far."""

    file: str
    done: int
    total: int
    chunks: int


class Skipped(NamedTuple):
    """What was left out, and why: a file, a line (`docs.jsonl#line-17`) or something inside a document."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class IngestReport:
    """documents and chunks are the corpus's totals now; added, changed, unchanged, removed count this call's documents
    (one that became readable is added, one that stopped being so removed).

    duplicates: documents with the words of another one.
    skipped: documents without chunks; problems: what is missing from documents that were read (pages, front matter).
    """

    name: str
    corpus_id: int
    documents: int
    chunks: int
    added: int
    changed: int
    unchanged: int
    removed: int
    skipped: list[Skipped]
    problems: list[Skipped]
    seconds: float
    duplicates: list[Duplicate] = field(default_factory=list)


def ingest(
    store: Store,
    path: str | Path,
    *,
    name: str,
    settings: CorpusSettings | None = None,
    progress: Callable[[IngestProgress], None] | None = None,
) -> IngestReport:
    """Bring corpus `name` in line with the files under `path`. Settings not given stay as they were.

    Raises: UsageError for a missing path, a folder with nothing readable (the corpus is then as before), a corpus of
    another source, a name of blanks; KarlError when another process ingests the same corpus. What was written before
    an interruption stays, and is not read again.
    """
    started = time.perf_counter()
    _check_name(name)
    source = Path(path).expanduser().resolve()
    files = find_files(source)
    created, writer = False, None
    try:
        with store.session() as session:
            corpus, created = _open_corpus(session, name=name, source=source, settings=settings)
        writer = CorpusWriter(store, corpus.id or 0)
        _read_all(writer, files, corpus=corpus, progress=progress)
        writer.remove_vanished()
        policy = CorpusSettings.model_validate(corpus.settings).chunking
        duplicates = writer.settle_duplicates(skip=policy.duplicates == "skip")
    except IntegrityError as exc:
        raise KarlError(f"corpus {name}: another ingestion of it is running; run this one again after it") from exc
    except UsageError:
        if created and writer:
            writer.discard_corpus()
        raise
    return _report(writer, name=name, duplicates=duplicates, seconds=time.perf_counter() - started)


def _check_name(name: str) -> None:
    if not name.strip() or not name.isprintable():
        raise UsageError(f"corpus name {name!r}: give it letters that can be seen and typed (--name)")


def _open_corpus(session: Session, *, name: str, source: Path, settings: CorpusSettings | None) -> tuple[Corpus, bool]:
    """(row, whether it is new). Raises: UsageError where the name belongs to another folder that still exists."""
    corpus = _find_corpus(session, name)
    if corpus is None:
        corpus = Corpus(name=name, source=str(source), settings=(settings or CorpusSettings()).model_dump())
        session.add(corpus)
        session.flush()
        return corpus, True
    # A source that is gone was moved; one that is there would lose its documents to the new one.
    if corpus.source != str(source) and Path(corpus.source).exists():
        raise UsageError(f"corpus {name!r} is of {corpus.source}; give {source} another --name")
    corpus.source, corpus.updated_at = str(source), now()
    if settings is not None:
        corpus.settings = settings.model_dump()
    return corpus, False


def _find_corpus(session: Session, name: str) -> Corpus | None:
    return session.execute(select(Corpus).where(table_of(Corpus).c.name == name)).scalar_one_or_none()


def _read_all(
    writer: CorpusWriter,
    files: list[SourceFile],
    *,
    corpus: Corpus,
    progress: Callable[[IngestProgress], None] | None,
) -> None:
    """Nothing is written before a document is seen that can be read: a folder that is away for a moment, or emptied by
    a tool, must not empty the corpus."""
    settings = CorpusSettings.model_validate(corpus.settings)
    batch: list[Parsed] = []
    readable = False
    for done, file in enumerate(files, start=1):
        for parsed in read_file(file, writer=writer, settings=settings):
            batch.append(parsed)
            readable = readable or parsed.document.error is None
            if len(batch) >= BATCH and (readable or writer.documents):
                writer.write(batch)
                batch = []
        if progress:
            progress(IngestProgress(file.name, done, len(files), writer.chunks))
    if not readable and not writer.documents:
        raise _nothing_readable(writer, batch, source=Path(corpus.source))
    writer.write(batch)


def read_file(file: SourceFile, *, writer: CorpusWriter, settings: CorpusSettings) -> Iterator[Parsed]:
    """The file's documents that must be written; what did not change is only noted with the writer."""
    if not writer.claim(file.name):
        return
    if file.reader is None:
        yield Parsed(file.name, "", "", ReadDocument(chunks=[], error=file.refused))
        return
    kind = file.reader.kind
    sha256 = ""
    try:
        # A file of many documents may be larger than memory: its lines are hashed one by one.
        if not file.reader.many:
            sha256 = fingerprint(read_bytes(file.path), kind=kind, settings=settings)
            if writer.keep_unchanged(file.name, sha256=sha256):
                return
        for document in _documents(file.reader, file.path):
            yield from _parsed(file, document, sha256=sha256, writer=writer, settings=settings)
    except ReadError as exc:
        # With the hash: the same broken file is not tried again. A file that could not be opened has none.
        yield Parsed(file.name, kind, sha256, ReadDocument(chunks=[], error=str(exc)))


def _documents(reader: Reader, path: Path) -> Iterator[ReadDocument]:
    """Raises: ReadError, whatever the reader raised: files are anyone's, and one that breaks a reader costs itself."""
    try:
        yield from reader.read(path)
    except ReadError:
        raise
    except Exception as exc:
        raise ReadError(f"unreadable: {type(exc).__name__}: {exc}") from exc


def _parsed(
    file: SourceFile, document: ReadDocument, *, sha256: str, writer: CorpusWriter, settings: CorpusSettings
) -> Iterator[Parsed]:
    kind = file.reader.kind if file.reader else ""
    name = f"{file.name}#{document.part}" if document.part else file.name
    if document.part and not writer.claim(name):
        return
    if document.content is not None:
        sha256 = fingerprint(document.content, kind=kind, settings=settings)
        if writer.keep_unchanged(name, sha256=sha256):
            return
    chunked = cut(document, kind=kind, policy=settings.chunking, max_chars=settings.max_chars)
    yield Parsed(name, kind, sha256, chunked)


def _nothing_readable(writer: CorpusWriter, batch: Sequence[Parsed], *, source: Path) -> UsageError:
    reasons = writer.skipped | {parsed.path: parsed.document.error or "" for parsed in batch}
    shown = "; ".join(f"{path}: {reason}" for path, reason in sorted(reasons.items())[:5])
    return UsageError(f"{source}: nothing readable in {len(reasons)} files ({shown})")


def _report(writer: CorpusWriter, *, name: str, duplicates: list[Duplicate], seconds: float) -> IngestReport:
    writer.check_counts()
    return IngestReport(
        name=name,
        corpus_id=writer.corpus_id,
        documents=writer.documents,
        chunks=writer.chunks,
        added=writer.added,
        changed=writer.changed,
        unchanged=writer.unchanged,
        removed=writer.removed,
        skipped=[Skipped(path, reason) for path, reason in sorted(writer.skipped.items())],
        problems=[Skipped(path, text) for path, texts in sorted(writer.problems.items()) for text in texts],
        seconds=seconds,
        duplicates=duplicates,
    )
