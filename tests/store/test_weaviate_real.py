"""The index on a REAL Weaviate server: `KARL_WEAVIATE_URL=http://host:8080 [KARL_WEAVIATE_KEY=...] pytest tests/store`.

Opt-in, since no server is at hand in CI: everything else about Weaviate is tested against a wire-level double.
"""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

import pytest

from store.search_filter import SearchFilter
from store.search_servers import WeaviateSettings
from store.session import Store
from store.vectors.weaviate_schema import manifests_of
from tests.store.test_weaviate import beside, found, ingested, notes, opened
from tests.store.weaviate_double import WeaviateDouble

__all__ = ["notes"]  # a fixture

URL = os.environ.get("KARL_WEAVIATE_URL", "")
pytestmark = pytest.mark.skipif(not URL, reason="set KARL_WEAVIATE_URL to test against a real server")


class RealServer(WeaviateDouble):
    """Its settings only."""

    @property
    def settings(self) -> dict[str, object]:
        key, grpc = os.environ.get("KARL_WEAVIATE_KEY", ""), os.environ.get("KARL_WEAVIATE_GRPC", "")
        return {"url": URL, "api_key": key, "grpc": grpc, "batch_size": 3}


def test_a_real_server_answers_as_the_index_in_process(store: Store, notes: Path) -> None:
    server, prefix = RealServer(), f"KarlTest{uuid4().hex[:8]}"
    index = opened(store, server, collection=prefix)
    try:
        assert index.shelf.count() == index.stats().vectors == beside(store).stats().vectors
        for query in ("harbor budget", "slow train", "euros 40000"):
            assert found(index, query, k=1) == found(beside(store), query, k=1)
        where = SearchFilter.of({"path": "*i*"})
        filtered = [one.search(["harbor budget"], where=where)[0] for one in (index, beside(store))]
        assert {hit.key for hit in filtered[0]} == {hit.key for hit in filtered[1]} == {"mira.md#0", "trip.md#0"}
        hybrid = opened(store, server, collection=prefix, alpha=0.5).search(["slow train"])[0]
        assert hybrid[0].key == "trip.md#0"
        assert hybrid[0].dense_score is not None and hybrid[0].bm25_score is not None
        (notes / "food.md").unlink()
        ingested(store, notes)
        assert "food.md#0" not in found(opened(store, server, collection=prefix), "olives")
    finally:
        settings = WeaviateSettings.model_validate({**server.settings, "collection": prefix})
        names = [index.shelf.place.collection, manifests_of(settings.collection)]
        index.shelf.link.call(lambda client: client.collections.delete(names))
        index.close()
