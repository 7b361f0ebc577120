"""How a corpus lies on a Weaviate server: a collection for each embedder, in it a tenant for each corpus.

An object is one passage: its vector, its chunk's id and digest, its words stemmed as our own BM25 has them, so that
both count alike; texts stay in the store.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple
from uuid import NAMESPACE_URL, UUID, uuid5

from store.vectors.lexical_part import K1, B

if TYPE_CHECKING:
    from weaviate import WeaviateClient

VECTOR = "default"  # the name of the one vector of an object
NAMESPACE = uuid5(NAMESPACE_URL, "https://github.com/karl-agents/karl/weaviate")


class Place(NamedTuple):
    """Where a corpus's objects are."""

    collection: str
    tenant: str


def place_of(corpus: str, *, prefix: str, fingerprint: str) -> Place:
    """Vectors of different models never share a collection; a corpus's name may hold what a tenant's must not."""
    kind = fingerprint[:12] or "words"
    slug = re.sub(r"[^A-Za-z0-9]+", "-", corpus).strip("-")[:40]
    return Place(f"{prefix}_{kind}", f"{slug}-{hashlib.sha256(corpus.encode()).hexdigest()[:10]}")


def manifests_of(prefix: str) -> str:
    return f"{prefix}_manifests"


def object_id(place: Place, chunk_id: int, passage: int) -> UUID:
    """The same for the same passage, whenever it is written: written twice it replaces itself."""
    return uuid5(NAMESPACE, f"{place.collection}/{place.tenant}/{chunk_id}/{passage}")


def prepare(client: WeaviateClient, place: Place) -> None:
    """Make the collection and the tenant where they are missing."""
    with _made_at_once(client, place.collection):
        if not client.collections.exists(place.collection):
            _create_chunks(client, place.collection)
    tenants = client.collections.use(place.collection).tenants
    if tenants.get_by_name(place.tenant) is None:
        tenants.create(place.tenant)


def prepare_manifests(client: WeaviateClient, name: str) -> None:
    from weaviate.classes.config import Configure, DataType, Property

    properties = [
        Property(name=key, data_type=DataType.TEXT, index_filterable=False, index_searchable=False)
        for key in ("corpus", "manifest")
    ]
    with _made_at_once(client, name):
        if not client.collections.exists(name):
            client.collections.create(name, properties=properties, vector_config=Configure.Vectors.self_provided())


@contextmanager
def _made_at_once(client: WeaviateClient, name: str) -> Iterator[None]:
    """Corpora share collections, and their writers do not wait for one another: the second to make one is refused."""
    from weaviate.exceptions import UnexpectedStatusCodeError

    try:
        yield
    except UnexpectedStatusCodeError:
        if not client.collections.exists(name):
            raise


def create_lock(client: WeaviateClient, name: str, *, description: str) -> None:
    """Raises: UnexpectedStatusCodeError where it is there."""
    from weaviate.classes.config import Configure, DataType, Property

    beat = Property(name="beat", data_type=DataType.INT, index_filterable=False)
    client.collections.create(
        name, description=description, properties=[beat], vector_config=Configure.Vectors.self_provided()
    )


def begin_lock(client: WeaviateClient, name: str, *, token: str) -> None:
    from weaviate.classes.data import DataObject

    client.collections.use(name).data.insert_many([DataObject(uuid=token, properties={"beat": 0})])


def count_lock(client: WeaviateClient, name: str, *, token: str, beat: int) -> None:
    """An update, which makes nothing: an insertion would bring back a collection that is gone."""
    client.collections.use(name).data.update(token, properties={"beat": beat})


def lock_beat(client: WeaviateClient, name: str, *, token: str) -> int | None:
    found = client.collections.use(name).query.fetch_object_by_id(token)
    return None if found is None else int(str(found.properties["beat"]))


def _create_chunks(client: WeaviateClient, name: str) -> None:
    from weaviate.classes.config import Configure, DataType, Property, StopwordsPreset, Tokenization, VectorDistances

    def number(key: str, *, filterable: bool = False) -> Property:
        return Property(name=key, data_type=DataType.INT, index_filterable=filterable)

    numbers = [number("chunk", filterable=True), number("passage", filterable=True), number("passages")]
    # Words come stemmed and without stop words: whitespace is all that is left to cut at.
    words = Property(
        name="words", data_type=DataType.TEXT, tokenization=Tokenization.WHITESPACE, index_filterable=False
    )
    digest = Property(name="digest", data_type=DataType.TEXT, index_filterable=False, index_searchable=False)
    client.collections.create(
        name,
        properties=[*numbers, digest, words],
        # The inner product: of unit vectors it is the cosine, and others keep their length.
        vector_config=Configure.Vectors.self_provided(
            name=VECTOR, vector_index_config=Configure.VectorIndex.hnsw(distance_metric=VectorDistances.DOT)
        ),
        inverted_index_config=Configure.inverted_index(bm25_k1=K1, bm25_b=B, stopwords_preset=StopwordsPreset.NONE),
        multi_tenancy_config=Configure.multi_tenancy(enabled=True, auto_tenant_activation=True),
    )


def drop(client: WeaviateClient, place: Place) -> None:
    """Remove the tenant, if it is there, with all that it holds."""
    if client.collections.exists(place.collection):
        client.collections.use(place.collection).tenants.remove([place.tenant])
