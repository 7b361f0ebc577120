"""What the server holds of a corpus: one small object beside the chunks, written before and after each change."""

from __future__ import annotations

from uuid import uuid5

from pydantic import BaseModel, ValidationError

from store.errors import KarlError
from store.vectors.weaviate_lease import Lease
from store.vectors.weaviate_link import WeaviateLink
from store.vectors.weaviate_schema import NAMESPACE, Place, manifests_of, prepare_manifests

FORMAT = 3  # of the objects; an older one is sent anew, a newer one refused


class WeaviateManifest(BaseModel, frozen=True, extra="ignore"):
    """content_sha256: of the store's chunks; origin: whose corpus it is; complete=False: a change is under way.

    objects: passages, each with a vector where dimensions is not 0.
    """

    format: int = FORMAT
    corpus: str
    origin: str
    place: Place
    embedder: str
    embedder_fingerprint: str
    dimensions: int = 0
    chunks: int = 0
    objects: int = 0
    content_sha256: str = ""
    revision: int = 0
    complete: bool = False


def check_dimensions(given: int, manifest: WeaviateManifest) -> None:
    """Raises: KarlError for vectors of another length than the index has."""
    if manifest.dimensions not in (0, given):
        raise KarlError(
            f"embedder {manifest.embedder!r} gives {given} numbers, the index of {manifest.corpus!r} on Weaviate has "
            f"{manifest.dimensions}: serve the model it was made with, or ingest the folder under another --name"
        )


class Manifests:
    """Of all corpora under one prefix."""

    def __init__(self, link: WeaviateLink) -> None:
        self._link = link
        self._name = manifests_of(link.settings.collection)

    def read(self, corpus: str) -> WeaviateManifest | None:
        """Raises: KarlError for one that this version cannot read."""
        found = self._link.call(
            lambda client: (
                client.collections.use(self._name).query.fetch_object_by_id(self._id(corpus))
                if client.collections.exists(self._name)
                else None
            )
        )
        if found is None:
            return None
        try:
            manifest = WeaviateManifest.model_validate_json(str(found.properties["manifest"]))
        except (ValidationError, KeyError) as exc:
            raise KarlError(f"{self._where(corpus)} cannot be read: {exc}; {_MEND}") from exc
        if manifest.format > FORMAT:
            raise KarlError(f"{self._where(corpus)} has format {manifest.format}, this karl reads {FORMAT}; {_MEND}")
        return manifest

    def write(self, manifest: WeaviateManifest, *, lease: Lease) -> None:
        """Raises: KarlError, before anything is published where the lock is lost."""
        from weaviate.classes.data import DataObject

        properties = {"corpus": manifest.corpus, "manifest": manifest.model_dump_json()}
        written = DataObject(uuid=self._id(manifest.corpus), properties=properties)
        lease.call(lambda client: prepare_manifests(client, self._name))
        lease.call(lambda client: client.collections.use(self._name).data.insert_many([written]))

    def _id(self, corpus: str) -> str:
        return str(uuid5(NAMESPACE, f"{self._name}/{corpus}"))

    def _where(self, corpus: str) -> str:
        return f"Weaviate at {self._link.settings.url}: the manifest of corpus {corpus!r} in {self._name}"


_MEND = "use the version that wrote it, or set another [weaviate] collection and ingest again"
