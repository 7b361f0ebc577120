"""Open a corpus's index on Weaviate: as it is where it is current, brought in line with the store where not."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from store.corpus_settings import CorpusSettings
from store.errors import KarlError, UsageError
from store.models import Chunk, Corpus
from store.queries.common import table_of
from store.search_servers import WeaviateSettings
from store.session import Store
from store.vectors.base import Progress
from store.vectors.chunk_texts import StoredTexts
from store.vectors.embedders import Embedder
from store.vectors.stored_entries import index_entries, store_contents
from store.vectors.weaviate_import import Imported, reconcile
from store.vectors.weaviate_index import WeaviateIndex
from store.vectors.weaviate_lease import Lease
from store.vectors.weaviate_link import WeaviateLink
from store.vectors.weaviate_lock import corpus_lock
from store.vectors.weaviate_manifest import Manifests, WeaviateManifest, check_dimensions
from store.vectors.weaviate_schema import place_of
from store.vectors.weaviate_shelf import Shelf
from store.vectors.write_lock import WAIT_SECONDS


def open_weaviate(
    store: Store,
    row: Corpus,
    *,
    settings: WeaviateSettings | None,
    embedder: Embedder | None,
    progress: Progress | None,
    rebuild: bool,
    wait_seconds: float = WAIT_SECONDS,
) -> WeaviateIndex:
    """Raises: UsageError without `[weaviate]`, and instead of building where rebuild is False; KarlError for a server
    that does not answer or holds what it should not, and while another process has been writing the corpus for longer
    than wait_seconds.
    """
    if settings is None:
        raise UsageError(
            f"corpus {row.name!r} is indexed on Weaviate: set [weaviate] url in karl.toml, "
            "or ingest it again with --index embedded"
        )
    link = WeaviateLink(settings)
    try:
        opening = _Opening(store, row, link, embedder=embedder, progress=progress)
        return opening.index(rebuild=rebuild, wait_seconds=wait_seconds)
    except BaseException:
        link.close()
        raise


@dataclass(frozen=True)
class _Opening:
    store: Store
    row: Corpus
    link: WeaviateLink
    embedder: Embedder | None
    progress: Progress | None

    def index(self, *, rebuild: bool, wait_seconds: float) -> WeaviateIndex:
        expected = _expected(self.row, settings=self.link.settings, embedder=self.embedder)
        manifest = self._found(expected)
        if manifest is None or not _current(manifest, expected, digest=self._digest()):
            if not rebuild:
                raise UsageError(
                    f"the index of corpus {self.row.name!r} is missing or older than the corpus: "
                    "run `karl ingest` again"
                )
            with corpus_lock(self.link, self.row.name, wait_seconds=wait_seconds) as lease:
                manifest = self._brought_in_line(expected, lease)
        return WeaviateIndex(
            Shelf(self.link, manifest.place),
            manifest=manifest,
            texts=lambda: StoredTexts(self.store, corpus_id=self.row.id or 0),
            embedder=self.embedder,
            fusion=CorpusSettings.model_validate(self.row.settings).fusion,
        )

    def _found(self, expected: WeaviateManifest) -> WeaviateManifest | None:
        return _owned(Manifests(self.link).read(self.row.name), expected, settings=self.link.settings)

    def _digest(self) -> str:
        return store_contents(self.store, self.row.id or 0).digest()

    def _brought_in_line(self, expected: WeaviateManifest, lease: Lease) -> WeaviateManifest:
        found, digest = self._found(expected), self._digest()
        if found is not None and _current(found, expected, digest=digest):
            return found  # made by the process that had the lock before
        held = found if found is not None and found.place == expected.place else None
        revision = found.revision + 1 if found else 1
        begun = expected.model_copy(update={"revision": revision, "dimensions": _dimensions(self.embedder, held)})
        manifest = self._imported(begun, lease, digest=digest)
        if found is not None and found.place != manifest.place:
            Shelf(self.link, found.place, lease).clear()  # of the embedder before
        return manifest

    def _imported(self, manifest: WeaviateManifest, lease: Lease, *, digest: str) -> WeaviateManifest:
        """Raises: KarlError."""
        manifests, corpus_id = Manifests(self.link), self.row.id or 0
        shelf = Shelf(self.link, manifest.place, lease)
        shelf.prepare()
        manifests.write(manifest, lease=lease)
        entries, total = index_entries(self.store, corpus_id), _chunks(self.store, corpus_id)
        done = reconcile(shelf, entries, embedder=self.embedder, total=total, progress=self.progress)
        if self._digest() != digest:
            raise KarlError(f"corpus {manifest.corpus!r} was changed while it was indexed; run `karl ingest` again")
        manifest = _completed(manifest, done, digest=digest)
        manifests.write(manifest, lease=lease)
        return manifest


def _expected(row: Corpus, *, settings: WeaviateSettings, embedder: Embedder | None) -> WeaviateManifest:
    fingerprint = embedder.fingerprint if embedder else ""
    return WeaviateManifest(
        corpus=row.name,
        origin=f"{row.id} of {row.created_at:%Y-%m-%d %H:%M:%S.%f}",
        place=place_of(row.name, prefix=settings.collection, fingerprint=fingerprint),
        embedder=embedder.name if embedder else "none",
        embedder_fingerprint=fingerprint,
    )


def _owned(
    found: WeaviateManifest | None, expected: WeaviateManifest, *, settings: WeaviateSettings
) -> WeaviateManifest | None:
    """Raises: UsageError where the server has a corpus of this name from another store: it would be overwritten."""
    if found is not None and found.origin != expected.origin:
        raise UsageError(
            f"Weaviate at {settings.url} holds a corpus {found.corpus!r} of another store under the prefix "
            f"{settings.collection!r}; set [weaviate] collection to a name of this store's own in karl.toml"
        )
    return found


def _current(found: WeaviateManifest, expected: WeaviateManifest, *, digest: str) -> bool:
    same = found.format == expected.format and found.place == expected.place
    return found.complete and same and found.content_sha256 == digest


def _completed(manifest: WeaviateManifest, done: Imported, *, digest: str) -> WeaviateManifest:
    return manifest.model_copy(
        update={
            "complete": True,
            "content_sha256": digest,
            "chunks": done.chunks,
            "objects": done.objects,
        }
    )


def _dimensions(embedder: Embedder | None, held: WeaviateManifest | None) -> int:
    """Raises: KarlError before anything is written where a model gives other vectors than those that are there."""
    if embedder is None:
        return 0
    dimensions = embedder.embed_queries(["how many numbers"]).shape[1]
    if held is not None:
        check_dimensions(dimensions, held)
    return dimensions


def _chunks(store: Store, corpus_id: int) -> int:
    table = table_of(Chunk)
    with store.session() as session:
        query = select(func.count()).select_from(table).where(table.c.corpus_id == corpus_id)
        return session.execute(query).scalar_one()
