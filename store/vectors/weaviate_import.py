"""Bring what the server holds of a corpus in line with the store: only what differs is embedded and sent.

The server's own objects say what is there, so an import that was killed goes on where it stopped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, repeat
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from store.errors import KarlError
from store.vectors.base import IndexEntry, IndexProgress, Progress
from store.vectors.embedders import Embedder
from store.vectors.passages import embedded_passages, passages
from store.vectors.tokens import tokens
from store.vectors.weaviate_manifest import FORMAT
from store.vectors.weaviate_shelf import Passage, Shelf

CHUNKS_AT_ONCE = 1_000  # embedded together, so that passages of a length share a batch


class Held(NamedTuple):
    """A chunk on the server. mask: bit n for passage n; digest is empty where its objects disagree."""

    digest: str
    expected: int
    mask: int

    def with_passage(self, passage: int, *, digest: str, expected: int) -> Held:
        agrees = (digest, expected) == (self.digest, self.expected)
        return Held(digest if agrees else "", expected, self.mask | 1 << passage)

    def is_whole(self, digest: str) -> bool:
        return self.digest == digest and self.mask == (1 << self.expected) - 1


class Imported(NamedTuple):
    """dimensions 0: nothing was embedded."""

    chunks: int
    objects: int
    dimensions: int


def entry_digest(entry: IndexEntry) -> str:
    """Of what is indexed of a chunk, and how."""
    parts = (f"format {FORMAT}", entry.title, str(entry.metadata.get("headings", "")), entry.text)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def held_chunks(shelf: Shelf) -> dict[int, Held]:
    found: dict[int, Held] = {}
    for chunk_id, passage, expected, digest in shelf.held():
        old = found.get(chunk_id, Held(digest, expected, 0))
        found[chunk_id] = old.with_passage(passage, digest=digest, expected=expected)
    return found


def reconcile(
    shelf: Shelf, entries: Iterable[IndexEntry], *, embedder: Embedder | None, total: int, progress: Progress | None
) -> Imported:
    """Write what is new or changed, delete what is gone, check the count. total: chunks, for the progress.

    Raises: KarlError when the server holds another number of objects than were sent.
    """
    held = held_chunks(shelf)
    wanted: set[int] = set()
    written = Imported(0, 0, 0)
    for part in _parts(entries, CHUNKS_AT_ONCE):
        wanted.update(entry.chunk_id for entry in part)
        changed = [entry for entry in part if not _is_held(entry, held)]
        objects = sum(held[entry.chunk_id].expected for entry in part if _is_held(entry, held))
        sent = send(shelf, changed, embedder=embedder, held=held)
        written = Imported(len(wanted), written.objects + objects + sent.objects, sent.dimensions or written.dimensions)
        if progress:
            progress(IndexProgress(len(wanted), total))
    shelf.delete(sorted(held.keys() - wanted))
    if (count := shelf.count()) != written.objects:
        raise KarlError(
            f"Weaviate at {shelf.link.settings.url} holds {count} objects of {shelf.place.tenant} in "
            f"{shelf.place.collection}, {written.objects} were sent; run `karl ingest` again: it adds what is missing"
        )
    return written


def send(shelf: Shelf, entries: Sequence[IndexEntry], *, embedder: Embedder | None, held: dict[int, Held]) -> Imported:
    """Write chunks, in place of what is there of them. held: what may be longer there."""
    objects = _objects(entries, embedder)
    size = shelf.link.settings.batch_size
    for start in range(0, len(objects), size):
        shelf.write(objects[start : start + size])
    for one in objects:
        if one.passage == 0 and one.chunk_id in held and held[one.chunk_id].mask >> one.passages:
            shelf.delete_beyond(one.chunk_id, passages=one.passages)
    dimensions = len(objects[0].vector) if objects and objects[0].vector is not None else 0
    return Imported(len(entries), len(objects), dimensions)


def _is_held(entry: IndexEntry, held: dict[int, Held]) -> bool:
    return entry.chunk_id in held and held[entry.chunk_id].is_whole(entry_digest(entry))


def _objects(entries: Sequence[IndexEntry], embedder: Embedder | None) -> list[Passage]:
    pieces = [embedded_passages(entry) if embedder else passages(entry) for entry in entries]
    flat = [piece for of_entry in pieces for piece in of_entry]
    rows = iter(embedder.embed_passages(flat)) if embedder and flat else repeat(None)
    return [made for entry, of in zip(entries, pieces, strict=True) for made in _of_chunk(entry, of, rows)]


def _of_chunk(entry: IndexEntry, pieces: Sequence[str], rows: Iterator[NDArray[np.float32] | None]) -> list[Passage]:
    """The opening, which is only embedded, has no words."""
    words = [" ".join(tokens(piece)) for piece in passages(entry)]
    said, digest = [*words, ""][: len(pieces)], entry_digest(entry)
    return [Passage(entry.chunk_id, n, len(pieces), digest, one, next(rows)) for n, one in enumerate(said)]


def _parts(entries: Iterable[IndexEntry], size: int) -> Iterator[list[IndexEntry]]:
    left = iter(entries)
    while part := list(islice(left, size)):
        yield part
