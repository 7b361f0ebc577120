"""The index on Weaviate, through the real client, against a wire-level DOUBLE of the server (`weaviate_double`).

What only a real server can show is in `test_weaviate_real.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from store.corpus_settings import CorpusSettings
from store.errors import KarlError, UsageError
from store.search_filter import SearchFilter
from store.search_servers import SearchServers, WeaviateSettings
from store.session import Store
from store.vectors.library import open_index
from tests.store.test_vectors import HashEmbedder

pytest.importorskip("weaviate")

import grpc

from store.vectors import weaviate_index
from store.vectors.weaviate_link import describe
from store.vectors.weaviate_manifest import FORMAT
from store.vectors.weaviate_search import HybridHit, explained_hit
from tests.store.weaviate_double import Stored, WeaviateDouble
from tests.store.weaviate_kit import beside, found, ingested, opened


def chunks(double: WeaviateDouble) -> list[tuple[int, int]]:
    return sorted((int(one.properties["chunk"]), int(one.properties["passage"])) for one in double.objects())


def test_a_double_of_the_server_answers_as_the_index_in_process(
    store: Store, notes: Path, double: WeaviateDouble
) -> None:
    index, other = opened(store, double), beside(store)
    queries = ["harbor budget", "lighthouse", "", "slow train to lisbon", "euros 40000", "the of"]
    for ours, theirs in zip(index.search(queries), other.search(queries), strict=True):
        assert [(hit.key, hit.text) for hit in ours] == [(hit.key, hit.text) for hit in theirs]
        assert [hit.dense_score for hit in ours] == pytest.approx([hit.dense_score for hit in theirs], abs=1e-6)
    assert index.search(["x", "x"], k=1)[0] == index.search(["x"], k=1)[0]
    stats = index.stats()
    assert (stats.chunks, stats.dimensions, stats.kind, stats.remote) == (4, 64, "weaviate", True)
    assert stats.vectors == len(double.objects()) == other.stats().vectors > 4
    assert index.mean_chars == other.mean_chars
    with pytest.raises(ValueError, match="k is 0"):
        index.search(["x"], k=0)


def test_texts_stay_in_the_store(store: Store, notes: Path, double: WeaviateDouble) -> None:
    opened(store, double)
    held = [one.properties for one in double.objects()]
    assert {key for properties in held for key in properties} == {"chunk", "passage", "passages", "digest", "words"}
    assert sorted(str(properties["words"]) for properties in held if "words" in properties)[0] == (
        "food food bread salt oliv"  # title and heading
    )


def test_bm25_alone_and_the_settings_of_karl_toml(store: Store, notes: Path, double: WeaviateDouble) -> None:
    servers = SearchServers(weaviate=WeaviateSettings.model_validate(double.settings))
    index = open_index(store, "notes", home=notes.parent, servers=servers)
    assert found(index, "olives") == ["food.md#0"]
    assert found(index, "nothing at all") == []
    assert (index.stats().vectors, index.stats().instant) == (0, False)
    with pytest.raises(UsageError, match=r"set \[weaviate\] url in karl.toml"):
        open_index(store, "notes", home=notes.parent)


def test_only_what_changed_is_sent_and_nothing_is_doubled(store: Store, notes: Path, double: WeaviateDouble) -> None:
    opened(store, double)
    sent, before = len(double.inserted), chunks(double)
    assert found(opened(store, double, rebuild=False), "slow train", k=1) == ["trip.md#0"]
    assert len(double.inserted) == sent
    (notes / "trip.md").write_text("# Trip\n\nWe go to Porto.")  # several passages become one
    (notes / "food.md").unlink()
    ingested(store, notes)
    with pytest.raises(UsageError, match="missing or older than the corpus: run `karl ingest` again"):
        opened(store, double, rebuild=False)
    index = opened(store, double)
    assert len(double.inserted) == sent + 1
    assert found(index, "porto", k=1) == ["trip.md#0"]
    assert len(chunks(double)) == len(set(chunks(double))) == 3 < len(before)


def test_an_import_goes_on_where_it_was_stopped(store: Store, notes: Path, double: WeaviateDouble) -> None:
    double.faults.refuse = lambda one: "no space left on device" if one.properties["passage"] else None
    with pytest.raises(
        KarlError, match=r"refused \d of \d objects of notes-.*passage 1: no space left on device; .*run"
    ):
        opened(store, double)
    first = set(double.inserted)
    assert 0 < len(first) <= 4  # first passages alone
    double.faults.refuse = lambda _: None
    double.inserted.clear()
    index = opened(store, double)
    # Whole chunks stay; of one that came half, every passage is sent again under its id.
    assert len(double.objects()) == index.stats().vectors == len(first | set(double.inserted))
    assert len(first & set(double.inserted)) <= 1
    assert found(index, "slow train", k=1) == ["trip.md#0"]


def test_objects_that_are_refused_for_a_moment_are_sent_again(
    store: Store, notes: Path, double: WeaviateDouble
) -> None:
    tried: list[str] = []

    def once(one: Stored) -> str | None:
        tried.append(one.uuid)
        return "put: overloaded" if tried.count(one.uuid) == 1 else None

    double.faults.refuse = once
    index = opened(store, double)
    assert len(double.inserted) == len(double.objects()) == index.stats().vectors
    assert len(tried) == 2 * len(double.inserted)


def test_a_lost_object_is_noticed_and_made_good(store: Store, notes: Path, double: WeaviateDouble) -> None:
    double.faults.lose = lambda one: one.properties["passage"] == 1
    with pytest.raises(KarlError, match=r"holds \d+ objects of notes-.*, \d+ were sent; run `karl ingest` again"):
        opened(store, double)
    double.faults.lose = lambda _: False
    assert opened(store, double).stats().vectors == len(double.objects())


class Wider(HashEmbedder):
    """Another model under the same name."""

    def embed_passages(self, texts: Sequence[str], *, progress: object = None) -> NDArray[np.float32]:
        rows = super().embed_passages(texts)
        return np.concatenate([rows, rows], axis=1)

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self.embed_passages(texts)


def test_vectors_of_another_length_are_refused(store: Store, notes: Path, double: WeaviateDouble) -> None:
    opened(store, double)
    before, sent = chunks(double), len(double.inserted)
    with pytest.raises(KarlError, match=r"gives 128 numbers, the index of 'notes' on Weaviate has 64: serve the model"):
        opened(store, double, embedder=Wider(), rebuild=False).search(["harbor"])
    (notes / "food.md").write_text("# Food\n\nFigs.")
    ingested(store, notes)
    with pytest.raises(KarlError, match="gives 128 numbers"):
        opened(store, double, embedder=Wider())
    assert (chunks(double), len(double.inserted)) == (before, sent)


def test_another_embedder_takes_the_place_of_the_first(store: Store, notes: Path, double: WeaviateDouble) -> None:
    opened(store, double)
    other = HashEmbedder()
    other.fingerprint = "another"
    opened(store, double, embedder=other)
    held = {name: sum(map(len, tenants.values())) for name, tenants in double.tenants.items() if tenants}
    assert held == {"Karl_another": len(double.objects()), "Karl_manifests": 1}


def test_a_corpus_of_another_store_is_not_overwritten(
    store: Store, notes: Path, double: WeaviateDouble, tmp_path: Path
) -> None:
    opened(store, double)
    before = len(double.inserted)
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "a.md").write_text("other words")
    second = Store.open(f"sqlite:///{tmp_path}/second.db")
    ingested(second, tmp_path / "else")
    with pytest.raises(UsageError, match=r"holds a corpus 'notes' of another store .* set \[weaviate\] collection"):
        opened(second, double)
    assert len(double.inserted) == before
    assert found(opened(second, double, collection="Second"), "words") == ["a.md#0"]
    second.close()


def test_a_manifest_of_a_later_version_is_refused(store: Store, notes: Path, double: WeaviateDouble) -> None:
    opened(store, double)
    (manifest,) = double.tenants["Karl_manifests"][""].values()
    manifest.properties["manifest"] = str(manifest.properties["manifest"]).replace(f'"format":{FORMAT}', '"format":9')
    with pytest.raises(KarlError, match=f"has format 9, this karl reads {FORMAT}; use the version that wrote it"):
        opened(store, double)
    manifest.properties["manifest"] = "{}"
    with pytest.raises(KarlError, match=r"manifest of corpus 'notes' in Karl_manifests cannot be read"):
        opened(store, double)


def test_a_server_that_is_away_starting_or_locked_says_what_to_do(
    store: Store, notes: Path, double: WeaviateDouble
) -> None:
    with pytest.raises(KarlError, match=r"127.0.0.1:1 does not answer: .*; is it running\? karl doctor"):
        opened(store, double, url="http://127.0.0.1:1")
    with pytest.raises(KarlError, match=r"no gRPC at 127.0.0.1:1 \(\[weaviate\] grpc in karl.toml\)"):
        opened(store, double, grpc="127.0.0.1:1", connect_seconds=0.2, retries=0)
    double.faults.ready = False
    with pytest.raises(KarlError, match="does not answer: it is not ready"):
        opened(store, double)
    double.faults.ready, double.api_key = True, "secret"
    assert found(opened(store, double), "slow train", k=1) == ["trip.md#0"]
    with pytest.raises(UsageError, match=r"refuses the key; set \[weaviate\] api_key") as refused:
        opened(store, double, api_key="guess")
    assert "guess" not in str(refused.value)
    said = describe(WeaviateSettings.model_validate(double.settings))
    assert said == f"{double.settings['url']} is Weaviate 1.33.0, with corpora under Karl"


def test_a_slow_answer_is_asked_for_again(store: Store, notes: Path, double: WeaviateDouble) -> None:
    index = opened(store, double)
    double.faults.codes = [grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED]
    assert found(index, "slow train", k=1) == ["trip.md#0"]
    double.faults.codes = [grpc.StatusCode.DEADLINE_EXCEEDED] * 9
    with pytest.raises(KarlError, match=r"does not answer: .*; is it running\? karl doctor"):
        index.search(["lisbon"])
    double.faults.codes = [grpc.StatusCode.INTERNAL]
    with pytest.raises(KarlError, match=r"Weaviate at .*: .*told to answer INTERNAL"):
        index.search(["lisbon"])


def test_a_restart_between_two_searches_is_not_noticed(store: Store, notes: Path, double: WeaviateDouble) -> None:
    index = opened(store, double)
    before = index.search(["harbor budget"])
    double.stop()
    double.start()
    assert index.search(["harbor budget"]) == before


def test_the_servers_own_hybrid_gives_its_parts(store: Store, notes: Path, double: WeaviateDouble) -> None:
    plain, index = opened(store, double), opened(store, double, alpha=0.5)
    hits = index.search(["slow train lisbon"])[0]
    assert hits[0].key == "trip.md#0"
    assert 0.5 < hits[0].score <= 1.0
    by_key = {hit.key: hit for hit in plain.search(["slow train lisbon"])[0]}
    assert hits[0].dense_score == pytest.approx(by_key["trip.md#0"].dense_score, abs=1e-4)
    assert hits[0].bm25_score == pytest.approx(by_key["trip.md#0"].bm25_score, abs=1e-4)
    # Weights that are asked for go before the server's own way.
    weights = CorpusSettings().fusion
    assert index.search(["slow train lisbon"], fusion=weights) == plain.search(["slow train lisbon"], fusion=weights)
    assert explained_hit(0.7, "in words that we do not know") == HybridHit(0.7, None, None)


@pytest.mark.parametrize("most", [10_000, 0], ids=["named", "chosen among the best"])
@pytest.mark.parametrize("alpha", [None, 0.5], ids=["fused here", "fused there"])
def test_a_double_of_the_server_filters_as_the_index_in_process(
    store: Store, notes: Path, double: WeaviateDouble, alpha: float | None, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weaviate_index, "MOST_NAMED", most)
    index, other = opened(store, double, alpha=alpha), beside(store)
    double.named.clear()
    where = SearchFilter.of({"path": ["*I*"]})
    shown = index.search(["harbor budget", "slow train", ""], where=where)
    assert max(double.named) == (2 if most else 0)
    for ours, theirs in zip(shown, other.search(["harbor budget", "slow train", ""], where=where), strict=True):
        assert {hit.key for hit in ours} == {hit.key for hit in theirs}
        assert {h.key: h.dense_score for h in ours} == pytest.approx({h.key: h.dense_score for h in theirs}, abs=1e-4)
    assert [hit.key for hit in shown[1]] == ["trip.md#0", "mira.md#0"]
    assert index.search(["harbor"], k=1, where=where)[0][0].key in {"trip.md#0", "mira.md#0"}
    assert index.search(["harbor"], where=SearchFilter.of({"path": "nothing"})) == [[]]


def test_what_another_process_changed_shows(store: Store, notes: Path, double: WeaviateDouble) -> None:
    index, other = opened(store, double), opened(store, double)
    (notes / "food.md").write_text("# Food\n\nFigs and cheese.")
    ingested(store, notes)
    opened(store, double)
    version = index.version()
    index.follow()
    assert index.version() == version + 1
    assert [hit.text for hit in index.search(["figs cheese"], k=1)[0]] == ["# Food\n\nFigs and cheese."]
    gone = index.search(["figs cheese"], k=1)[0][0].chunk_id
    assert index.delete([gone, 10**9]).chunks == 3
    other.follow()
    assert other.stats().chunks == 3
    assert gone not in {hit.chunk_id for hit in other.search(["figs cheese"])[0]}
    assert "food.md#0" in found(opened(store, double), "figs cheese")
