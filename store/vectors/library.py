"""Indexes on disk: <home>/indexes/<corpus>/manifest.json names the folder in use; if the store differs, it is rebuilt.

A build goes to a folder of its own and becomes visible when the manifest is replaced: readers never see half an index.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from pydantic import BaseModel, ValidationError
from sqlalchemy import select

from store.corpus_settings import CorpusSettings
from store.errors import KarlError, UsageError
from store.jsonfile import read_json, write_json
from store.models import Chunk
from store.queries.common import table_of
from store.queries.corpora import corpus_by_name
from store.session import Store
from store.vectors.base import IndexEntry, Progress
from store.vectors.chunk_texts import StoredTexts
from store.vectors.embedded import EmbeddedIndex
from store.vectors.embedders import Embedder, make_embedder

FORMAT = 1  # of the files; another number is rebuilt


class Manifest(BaseModel, frozen=True, extra="forbid"):
    """What an index was built from. content_sha256 covers chunk ids and chunk hashes in order."""

    format: int
    corpus: str
    embedder: str
    embedder_fingerprint: str
    content_sha256: str
    chunks: int

    @property
    def folder(self) -> str:
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


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
) -> EmbeddedIndex:
    """The index of a corpus as it is in the store now, built first where it is missing, outdated or damaged.

    rebuild=False: raises UsageError with the mend instead of building.
    Raises: UsageError for an unknown corpus or embedder; KarlError when the files cannot be written.
    """
    with store.session() as session:
        row = corpus_by_name(session, corpus)
    settings = CorpusSettings.model_validate(row.settings)
    embedder = make_embedder(settings.embedder, home=Path(home))
    corpus_id = row.id or 0
    manifest = current_manifest(store, corpus_id=corpus_id, corpus=corpus, embedder=embedder)
    index = EmbeddedIndex(StoredTexts(store, corpus_id=corpus_id), embedder=embedder, fusion=settings.fusion)
    folder = index_folder(home, corpus)
    loaded = _load(folder, manifest=manifest, like=index)
    if loaded is not None:
        return loaded
    if not rebuild:
        raise UsageError(f"the index of corpus {corpus!r} is missing or older than the corpus: run `karl ingest` again")
    index.build(index_entries(store, corpus_id), progress=progress)
    save_index(index, folder, manifest=manifest)
    return index


def current_manifest(store: Store, *, corpus_id: int, corpus: str, embedder: Embedder | None) -> Manifest:
    """What an index of the corpus must have been built from."""
    table = table_of(Chunk)
    query = select(table.c.id, table.c.sha256).where(table.c.corpus_id == corpus_id).order_by(table.c.id)
    digest, count = hashlib.sha256(), 0
    with store.session() as session:
        for chunk_id, sha256 in session.connection().execute(query):
            digest.update(f"{chunk_id}:{sha256}\n".encode())
            count += 1
    return Manifest(
        format=FORMAT,
        corpus=corpus,
        embedder=embedder.name if embedder else "none",
        embedder_fingerprint=embedder.fingerprint if embedder else "",
        content_sha256=digest.hexdigest(),
        chunks=count,
    )


def index_entries(store: Store, corpus_id: int) -> Iterator[IndexEntry]:
    """Every chunk of the corpus, in the order of ids."""
    table = table_of(Chunk)
    query = select(table.c.id, table.c.title, table.c.text).where(table.c.corpus_id == corpus_id)
    with store.session() as session:
        for row in session.connection().execute(query.order_by(table.c.id)):
            yield IndexEntry(*row)


def _load(folder: Path, *, manifest: Manifest, like: EmbeddedIndex) -> EmbeddedIndex | None:
    """None where the files are missing, damaged or of something else: they can always be built again."""
    try:
        if Manifest.model_validate(read_json(folder / "manifest.json")) != manifest:
            return None
        return EmbeddedIndex.load(
            folder / manifest.folder, texts=like.texts, embedder=like.embedder, fusion=like.fusion
        )
    except (OSError, ValueError, KeyError, RuntimeError, ValidationError):
        return None


def save_index(index: EmbeddedIndex, folder: Path, *, manifest: Manifest) -> None:
    """Write beside the index in use, then switch. Raises: KarlError; the index in use is then as it was."""
    building = folder / f".building-{os.getpid()}"
    target = folder / manifest.folder
    try:
        shutil.rmtree(building, ignore_errors=True)
        index.save(building)
        shutil.rmtree(target, ignore_errors=True)  # damaged, or of another process that built the same
        building.replace(target)
        write_json(folder / "manifest.json", manifest.model_dump())
    except OSError as exc:
        shutil.rmtree(building, ignore_errors=True)
        raise KarlError(
            f"{folder}: cannot write the index: {exc.strerror or exc}; free the disk and run again"
        ) from exc
    _remove_others(folder, keep=target)


def _remove_others(folder: Path, *, keep: Path) -> None:
    """Indexes of older contents; a build of another process is left alone."""
    for path in folder.iterdir():
        if path.is_dir() and path != keep and not path.name.startswith(".building-"):
            shutil.rmtree(path, ignore_errors=True)
