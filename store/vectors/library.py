"""Indexes of the store's corpora: opened where they are current, brought up to date by what changed, else built."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np
from sqlalchemy import select

from store.corpus_settings import CorpusSettings
from store.errors import KarlError, UsageError
from store.models import Chunk, Document
from store.queries.common import slices, table_of
from store.queries.corpora import corpus_by_name
from store.search_servers import SearchServers
from store.session import Store
from store.vectors.base import IndexEntry, Progress, VectorIndex
from store.vectors.chunk_texts import StoredTexts, entry_metadata
from store.vectors.embedded import EmbeddedIndex
from store.vectors.embedders import Embedder, make_embedder
from store.vectors.files import IndexFiles
from store.vectors.manifest import FORMAT, Contents, Identity
from store.vectors.segments import Segment
from store.vectors.snapshot import Snapshot
from store.vectors.write_lock import write_lock

WAIT_SECONDS = 600.0  # for another process that is writing the same index: it does our work
REBUILT = 0.5  # a change of more than this share of the chunks is a new build
NO_IDS = np.zeros(0, dtype=np.int64)


def index_folder(home: str | Path, corpus: str) -> Path:
    """The corpus's name is escaped: it may hold a slash."""
    return Path(home) / "indexes" / quote(corpus, safe=" ").replace(".", "%2E")


def open_index(
    store: Store,
    corpus: str,
    *,
    home: str | Path,
    progress: Progress | None = None,
    rebuild: bool = True,
    verify: bool = False,
    wait_seconds: float = WAIT_SECONDS,
    servers: SearchServers | None = None,
) -> VectorIndex:
    """The index of a corpus as it is in the store now; what other processes make of it later shows by itself.

    Built first where it is missing or damaged, brought up to date where it is older than the corpus; rebuild=False
    refuses instead. verify: every byte is read, of large indexes too; what is damaged counts as missing. servers:
    embedders and indexes elsewhere.
    Raises: UsageError for an unknown corpus or embedder, and with the mend instead of building; KarlError when the
    files cannot be written, another process has been writing them for longer than wait_seconds, or a server fails.
    """
    with store.session() as session:
        row = corpus_by_name(session, corpus)
    settings, corpus_id = CorpusSettings.model_validate(row.settings), row.id or 0
    reached = servers or SearchServers()
    embedder = make_embedder(
        settings.embedder, home=Path(home), conventions=settings.embedding, settings=reached.embedding
    )
    if settings.backend == "weaviate":
        from store.vectors.weaviate_opening import open_weaviate

        return open_weaviate(
            store, row, settings=reached.weaviate, embedder=embedder, progress=progress, rebuild=rebuild
        )
    files = IndexFiles(index_folder(home, corpus), _identity(corpus, settings, embedder))
    snapshot = files.load(digest=store_contents(store, corpus_id).digest(), thorough=verify)
    if snapshot is None and not rebuild:
        raise UsageError(f"the index of corpus {corpus!r} is missing or older than the corpus: run `karl ingest` again")
    if snapshot is None:
        with write_lock(files.lock, wait_seconds=wait_seconds):
            snapshot = _bring_up_to_date(
                files, store, corpus_id=corpus_id, embedder=embedder, progress=progress, thorough=verify
            )
    texts = StoredTexts(store, corpus_id=corpus_id)
    return EmbeddedIndex(texts, embedder=embedder, fusion=settings.fusion, snapshot=snapshot, newer=files.newer)


def _identity(corpus: str, settings: CorpusSettings, embedder: Embedder | None) -> Identity:
    return Identity(
        format=FORMAT,
        corpus=corpus,
        embedder=embedder.name if embedder else "none",
        embedder_fingerprint=embedder.fingerprint if embedder else "",
        vectors=settings.index.vectors,
    )


def store_contents(store: Store, corpus_id: int) -> Contents:
    """What an index of the corpus must have been built from."""
    table = table_of(Chunk)
    query = select(table.c.id, table.c.sha256).where(table.c.corpus_id == corpus_id).order_by(table.c.id)
    with store.session() as session:
        rows = session.connection().execute(query).fetchall()
    ids_N = np.fromiter((chunk_id for chunk_id, _ in rows), dtype=np.int64, count=len(rows))
    hashes_N = np.fromiter((int(sha256[:16], 16) for _, sha256 in rows), dtype=np.uint64, count=len(rows))
    return Contents(ids_N, hashes_N)


def index_entries(store: Store, corpus_id: int, ids: Iterable[int] | None = None) -> Iterator[IndexEntry]:
    """Every chunk of the corpus in the order of ids, or those chosen."""
    chunk, document = table_of(Chunk), table_of(Document)
    of_chunk = chunk.c.id, chunk.c.title, chunk.c.text, chunk.c.page, chunk.c.headings
    query = select(*of_chunk, document.c.path, document.c.properties).join(document)
    query = query.where(chunk.c.corpus_id == corpus_id).order_by(chunk.c.id)
    queries = [query] if ids is None else (query.where(chunk.c.id.in_(part)) for part in slices(ids))
    with store.session() as session:
        for one in queries:
            for row in session.connection().execute(one):
                metadata = entry_metadata(row.properties, path=row.path, page=row.page, headings=row.headings)
                yield IndexEntry(row.id, row.title, row.text, metadata)


def _bring_up_to_date(
    files: IndexFiles,
    store: Store,
    *,
    corpus_id: int,
    embedder: Embedder | None,
    progress: Progress | None,
    thorough: bool,
) -> Snapshot:
    """The caller holds the lock."""
    wanted = store_contents(store, corpus_id)
    if (made := files.load(digest=wanted.digest(), thorough=thorough)) is not None:
        return made  # by the process that had the lock before
    old = files.load(thorough=thorough)
    held = files.contents() if old is not None else None
    changed, gone = wanted.since(held) if held is not None else (wanted.ids_N, NO_IDS)
    if old is None or held is None or len(changed) + len(gone) > REBUILT * len(held.ids_N):
        old, changed, gone = Snapshot(vectors_kind=files.vectors_kind), None, NO_IDS
    entries = list(index_entries(store, corpus_id, None if changed is None else changed.tolist()))
    kind = old.vectors_kind
    added = Segment.build(entries, embedder=embedder, progress=progress, kind=kind) if entries else None
    files.save(old.changed(added, gone=gone), wanted)
    snapshot = files.load()
    if snapshot is None:
        raise KarlError(f"{files.folder}: the index that was just written is damaged; check the disk and run again")
    return snapshot
