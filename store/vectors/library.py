"""Indexes of the store's corpora: opened where they are current, brought up to date by what changed, else built."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import numpy as np

from store.corpus_settings import CorpusSettings
from store.errors import KarlError, UsageError
from store.queries.corpora import corpus_by_name
from store.search_servers import SearchServers
from store.session import Store
from store.vectors.base import Progress, VectorIndex
from store.vectors.chunk_texts import StoredTexts
from store.vectors.embedded import EmbeddedIndex
from store.vectors.embedders import Embedder, make_embedder
from store.vectors.files import MANIFEST, IndexFiles
from store.vectors.manifest import FORMAT, Identity
from store.vectors.segments import Segment
from store.vectors.snapshot import Snapshot
from store.vectors.stored_entries import StoredEntries, store_contents
from store.vectors.write_lock import WAIT_SECONDS, BeingWritten, write_lock

LONGEST_NAME = 255  # bytes
REBUILT = 0.5  # a change of more than this share of the chunks is a new build
NO_IDS = np.zeros(0, dtype=np.int64)


def index_folder(home: str | Path, corpus: str) -> Path:
    """The corpus's name is escaped: it may hold a slash. What no file system takes as a name is cut, and hashed."""
    name = quote(corpus, safe=" ").replace(".", "%2E")
    if len(name) > LONGEST_NAME:
        name = f"{name[: LONGEST_NAME - 65]}-{hashlib.sha256(corpus.encode()).hexdigest()}"
    return Path(home) / "indexes" / name


def open_index(
    store: Store,
    corpus: str,
    *,
    home: str | Path,
    progress: Progress | None = None,
    rebuild: bool = True,
    verify: bool = False,
    current: bool = False,
    wait_seconds: float = WAIT_SECONDS,
    servers: SearchServers | None = None,
) -> VectorIndex:
    """The index of a corpus as it is in the store now; what other processes make of it later shows by itself.

    Built first where it is missing or damaged, brought up to date where it is older than the corpus; rebuild=False
    refuses instead. While another process writes it, the index as it was is used, and what is written shows once it is
    there; where there is none yet, or current=True, the other is waited for. verify: every byte is read, of large
    indexes too; what is damaged counts as missing. servers: embedders and indexes elsewhere.
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
            store,
            row,
            settings=reached.weaviate,
            embedder=embedder,
            progress=progress,
            rebuild=rebuild,
            wait_seconds=wait_seconds,
        )
    files = IndexFiles(index_folder(home, corpus), _identity(corpus, settings, embedder))
    snapshot = files.load(digest=store_contents(store, corpus_id).digest(), thorough=verify)
    if snapshot is None and not rebuild:
        raise UsageError(f"the index of corpus {corpus!r} is missing or older than the corpus: run `karl ingest` again")
    if snapshot is None:
        old = None if current else files.load(thorough=verify)
        try:
            with write_lock(files.lock, wait_seconds=wait_seconds if old is None else 0.0):
                snapshot = _bring_up_to_date(
                    files, store, corpus_id=corpus_id, embedder=embedder, progress=progress, thorough=verify
                )
        except BeingWritten:
            if old is None:
                raise
            snapshot = old
    texts = StoredTexts(store, corpus_id=corpus_id)
    return EmbeddedIndex(texts, embedder=embedder, fusion=settings.fusion, snapshot=snapshot, newer=files.newer)


def documents_changed(home: str | Path, corpus: str) -> None:
    """Open indexes in process read the store anew: documents may say other things of themselves, with equal chunks."""
    with suppress(FileNotFoundError):
        os.utime(index_folder(home, corpus) / MANIFEST)


def _identity(corpus: str, settings: CorpusSettings, embedder: Embedder | None) -> Identity:
    return Identity(
        format=FORMAT,
        corpus=corpus,
        embedder=embedder.name if embedder else "none",
        embedder_fingerprint=embedder.fingerprint if embedder else "",
        vectors=settings.index.vectors,
    )


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
        old, changed, gone = Snapshot(vectors_kind=files.vectors_kind), wanted.ids_N, NO_IDS
    entries = StoredEntries(store, changed)
    added = Segment.build(entries, embedder=embedder, progress=progress, kind=old.vectors_kind)
    files.save(old.changed(added if added.alive else None, gone=gone), wanted)
    snapshot = files.load()
    if snapshot is None:
        raise KarlError(f"{files.folder}: the index that was just written is damaged; check the disk and run again")
    return snapshot
