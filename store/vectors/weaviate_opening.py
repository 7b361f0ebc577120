"""Open a corpus's index on Weaviate: as it is where it is current, brought in line with the store where not."""

from __future__ import annotations

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
from store.vectors.weaviate_link import WeaviateLink
from store.vectors.weaviate_manifest import Manifests, WeaviateManifest, check_dimensions
from store.vectors.weaviate_schema import place_of
from store.vectors.weaviate_shelf import Shelf


def open_weaviate(
    store: Store,
    row: Corpus,
    *,
    settings: WeaviateSettings | None,
    embedder: Embedder | None,
    progress: Progress | None,
    rebuild: bool,
) -> WeaviateIndex:
    """Raises: UsageError without `[weaviate]`, and instead of building where rebuild is False; KarlError for a server
    that does not answer or holds what it should not.
    """
    if settings is None:
        raise UsageError(
            f"corpus {row.name!r} is indexed on Weaviate: set [weaviate] url in karl.toml, "
            "or ingest it again with --index embedded"
        )
    link, corpus_id = WeaviateLink(settings), row.id or 0
    manifests = Manifests(link)
    manifest = _expected(row, settings=settings, embedder=embedder)
    found = _owned(manifests.read(row.name), manifest, settings=settings)
    digest = store_contents(store, corpus_id).digest()
    if found is not None and _current(found, manifest, digest=digest):
        manifest = found
    elif not rebuild:
        raise UsageError(
            f"the index of corpus {row.name!r} is missing or older than the corpus: run `karl ingest` again"
        )
    else:
        held = found if found is not None and found.place == manifest.place else None
        dimensions = _dimensions(embedder, held)
        revision = found.revision + 1 if found else 1
        manifest = manifest.model_copy(update={"revision": revision, "dimensions": dimensions})
        manifest = _bring_in_line(
            store,
            corpus_id,
            manifest,
            digest=digest,
            manifests=manifests,
            link=link,
            embedder=embedder,
            progress=progress,
        )
        if found is not None and found.place != manifest.place:
            Shelf(link, found.place).clear()  # of the embedder before
    return WeaviateIndex(
        Shelf(link, manifest.place),
        manifest=manifest,
        texts=lambda: StoredTexts(store, corpus_id=corpus_id),
        embedder=embedder,
        fusion=CorpusSettings.model_validate(row.settings).fusion,
    )


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


def _bring_in_line(
    store: Store,
    corpus_id: int,
    manifest: WeaviateManifest,
    *,
    digest: str,
    manifests: Manifests,
    link: WeaviateLink,
    embedder: Embedder | None,
    progress: Progress | None,
) -> WeaviateManifest:
    """Raises: KarlError."""
    shelf = Shelf(link, manifest.place)
    shelf.prepare()
    manifests.write(manifest)
    done = reconcile(
        shelf, index_entries(store, corpus_id), embedder=embedder, total=_chunks(store, corpus_id), progress=progress
    )
    if store_contents(store, corpus_id).digest() != digest:
        raise KarlError(f"corpus {manifest.corpus!r} was changed while it was indexed; run `karl ingest` again")
    manifest = _completed(manifest, done, digest=digest)
    manifests.write(manifest)
    return manifest


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
