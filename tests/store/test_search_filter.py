"""Filters are exact: what they let through is ranked as if all had been ranked and the rest left out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import update

from agents.tools import SearchTool
from store.corpus import ingest
from store.corpus_settings import FusionWeights
from store.models import Chunk
from store.queries.common import table_of
from store.queries.corpora import corpus_by_name
from store.search_filter import SearchFilter, Where
from store.session import Store
from store.types import Hit
from store.vectors import dense, part_search
from store.vectors.base import IndexEntry
from store.vectors.batching import AsyncSearcher
from store.vectors.chunk_texts import StoredTexts
from store.vectors.dense import Dense
from store.vectors.embedded import EmbeddedIndex
from store.vectors.fusion import depth_for, fused
from store.vectors.library import open_index
from store.vectors.ranking import Ranking
from tests.store.test_segments import QUERIES, entries, growing
from tests.store.test_vectors import HashEmbedder

WORDS_ALONE, VECTORS_ALONE = FusionWeights(dense=0), FusionWeights(bm25=0)
WIDE = pytest.mark.parametrize("wide", [False, True], ids=["few are copied", "many are masked"])
LONGEST = pytest.mark.parametrize("longest", [12, 600], ids=["one passage", "several"])


def wanted(where: Where) -> SearchFilter:
    found = SearchFilter.of(where)
    assert found is not None
    return found


def scored(index: EmbeddedIndex, *, k: int, fusion: FusionWeights, where: SearchFilter | None) -> list[Ranking]:
    found = index.search(QUERIES, k=k, fusion=fusion, where=where)
    return [
        Ranking(np.array([hit.chunk_id for hit in hits], dtype=np.int64), np.array([hit.score for hit in hits]))
        for hits in found
    ]


def left(ranking: Ranking, allowed: NDArray[np.int64], *, k: int) -> Ranking:
    """By brute force: everything is ranked, then the rest left out."""
    inside = np.isin(ranking.ids, allowed)
    return Ranking(ranking.ids[inside], ranking.scores[inside]).best(k)


def listed(rankings: Sequence[Ranking]) -> list[list[tuple[int, float]]]:
    return [list(zip(ranking.ids.tolist(), ranking.scores.tolist(), strict=True)) for ranking in rankings]


def changing(longest: int) -> tuple[EmbeddedIndex, list[IndexEntry]]:
    """An index of several segments with dead, and what is in it."""
    first, changed = entries(200, longest=longest), entries(200, seed=1, longest=longest)
    index = growing([*first[:103], *changed[103:]], embedder=HashEmbedder())
    index.build(first[:150])
    index.add(first[150:160])
    index.add([changed[104], changed[151]])
    index.delete([0, 3, 101])
    assert len(index.snapshot.segments) > 2
    return index, changed


@WIDE
@LONGEST
def test_filtered_hits_and_scores_are_those_of_brute_force(
    longest: int, wide: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if wide:
        monkeypatch.setattr(dense, "COPIED", 0)
        monkeypatch.setattr(part_search, "LOOKED_UP", 0)
    index, _ = changing(longest)
    for title in ("t3", [f"t{n}" for n in range(1, 6)], "*"):
        where = wanted({"title": title})
        allowed = np.intersect1d(index.texts.matching(where), index.snapshot.ids_N)
        assert len(allowed) > 20
        rankings: dict[str, list[Ranking]] = {}
        for name, weights in (("bm25", WORDS_ALONE), ("dense", VECTORS_ALONE)):
            whole = scored(index, k=200, fusion=weights, where=None)
            rankings[name] = [left(ranking, allowed, k=depth_for(20)) for ranking in whole]
            expected = listed([ranking.best(20) for ranking in rankings[name]])
            assert listed(scored(index, k=20, fusion=weights, where=where)) == expected
            assert min(len(hits) for hits in expected[:4]) > 5
        both = zip(rankings["bm25"], rankings["dense"], strict=True)
        expected = listed([fused(*pair, weights=FusionWeights(), k=20) for pair in both])
        for ours, theirs in zip(
            listed(scored(index, k=20, fusion=FusionWeights(), where=where)), expected, strict=True
        ):
            assert [chunk_id for chunk_id, _ in ours] == [chunk_id for chunk_id, _ in theirs]
            assert [score for _, score in ours] == pytest.approx([score for _, score in theirs], abs=1e-6)


def test_a_filtered_search_follows_additions_replacements_and_deletions() -> None:
    index, changed = changing(12)
    where = wanted({"title": "t3"})

    def found() -> set[int]:
        return {hit.chunk_id for hit in index.search(["alpha beta"], k=200, where=where)[0]}

    inside = {n for n in range(160) if n % 7 == 3} - {3, 101}
    assert found() == inside
    index.delete([10])
    index.add([changed[17], changed[164], changed[171]])
    assert found() == (inside - {10}) | {164, 171}
    whole = {hit.chunk_id: hit.score for hit in index.search(["alpha beta"], k=200, fusion=WORDS_ALONE)[0]}
    again = index.search(["alpha beta"], k=200, fusion=WORDS_ALONE, where=where)[0]
    assert again
    assert {hit.chunk_id: hit.score for hit in again} == {n: whole[n] for n in found() & whole.keys()}


def test_what_a_word_adds_at_most_is_learnt_from_all_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_search, "LOOKED_UP", 0)
    filler = " boat" * 150
    texts = [("x1", "rare" + filler)] * 1000 + [("x2", "common " * 10)] * 1200 + [("x3", "rare common" + filler)] * 600
    held = [IndexEntry(n, *text) for n, text in enumerate([*texts, *[("x4", filler)] * 4000])]  # long enough to prune
    index = growing(held)
    index.build(held)
    # Asked first with a filter: in these chunks the common word adds less than the rare one, in others more.
    assert [hit.chunk_id for hit in index.search(["rare common"], k=2, where=wanted({"title": "x3"}))[0]] == [
        2200,
        2201,
    ]
    assert [hit.chunk_id for hit in index.search(["rare common"], k=2)[0]] == [1000, 1001]


@pytest.mark.parametrize("embedder", [None, HashEmbedder()], ids=["bm25", "hybrid"])
def test_a_filter_that_lets_nothing_through_finds_nothing(embedder: HashEmbedder | None) -> None:
    held = entries(30)
    index = growing(held, embedder=embedder)
    index.build(held)
    for where in ({"title": "t9"}, {"title": []}, {"title": "t1", "year": 2018}):
        assert index.search(QUERIES, where=wanted(where)) == [[]] * len(QUERIES)


@WIDE
@pytest.mark.parametrize("kind", ["hnsw", "ivf"])
def test_a_graph_and_cells_find_all_that_a_filter_lets_through(
    kind: str, wide: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if wide:
        monkeypatch.setattr(dense, "COPIED", 0)
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(30, 32))
    rows = (np.repeat(centres, 80, axis=0) + 0.3 * rng.normal(size=(2400, 32))).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    made = Dense.build(rows, owners_V=np.repeat(np.arange(1200, dtype=np.int32), 2), kind=kind)
    # Far from every query: on its way a graph meets none of them.
    chosen = np.zeros(1200, dtype=bool)
    chosen[1160:1190] = True
    queries = rows[:1000:50]
    narrow = made.among(chosen)
    assert (made.kind, narrow.kind) == (kind, kind if wide else "flat")
    found = narrow.rank(queries, k=10, ids_N=np.arange(1200) + 7, dead_N=~chosen)
    best = (queries @ made.vectors().T).reshape(len(queries), 1200, 2).max(axis=2)
    best[:, ~chosen] = -np.inf
    expected = np.argsort(-best, axis=1)[:, :10]
    assert [ranking.ids.tolist() for ranking in found] == (expected + 7).tolist()
    scores = np.stack([ranking.scores for ranking in found])
    assert scores == pytest.approx(np.take_along_axis(best, expected, axis=1), abs=1e-5)
    nothing = made.among(np.zeros(1200, dtype=bool)).rank(queries, k=3, ids_N=np.arange(1200), dead_N=~chosen)
    assert [len(ranking.ids) for ranking in nothing] == [0] * len(queries)


@pytest.fixture
def company(store: Store, tmp_path: Path) -> Path:
    """1,500 notes; what is said of one alone stands in the one that ranks last."""
    lines = [
        {"id": f"n{n}", "title": f"Note {n % 50}", "text": f"harbor report {n}. " + "quiet water. " * (n // 50)}
        | ({"year": 2000 + n % 20, "by": "Mira"} if n < 1499 else {"year": 2031})
        for n in range(1500)
    ]
    (tmp_path / "notes.jsonl").write_text("\n".join(map(json.dumps, lines)))
    ingest(store, tmp_path / "notes.jsonl", name="company")
    return tmp_path


async def test_a_value_that_ranks_below_a_thousand_others_is_found(store: Store, company: Path) -> None:
    index = open_index(store, "company", home=company)
    every = [hit.key for hit in index.search(["harbor report"], k=2000)[0]]
    (last,) = (key for key in every if "n1499" in key)
    assert every.index(last) > 1_000
    with AsyncSearcher(index) as searcher:
        tool = SearchTool(searcher=searcher, k=5)
        assert [hit.key for hit in await tool.search("harbor report", where={"year": 2031})] == [last]
        assert [hit.metadata["year"] for hit in await tool.search("harbor report", where={"year": "203*"})] == [2031]
        assert await tool.search("harbor report", where={"year": 2031, "by": "*i*"}) == []
        shown = await tool.search_all(["harbor report 3", "quiet water"], where={"by": "mira", "year": [2003, 2004]})
        assert len(shown) == 5
        assert {hit.metadata["year"] for hit in shown} <= {2003, 2004}


def test_the_store_lets_through_what_the_rule_for_hits_does(store: Store, company: Path) -> None:
    with store.session() as session:
        corpus_id = corpus_by_name(session, "company").id or 0
        chunk = table_of(Chunk)
        session.connection().execute(update(chunk).where(chunk.c.id % 3 == 0).values(page=chunk.c.id % 40))
        session.connection().execute(update(chunk).where(chunk.c.id % 5 == 0).values(headings=["Item 7", "MD&A"]))
        session.commit()
    texts = StoredTexts(store, corpus_id=corpus_id)
    hits = [text.hit(chunk_id, 0.0) for chunk_id, text in sorted(texts.get(range(10**4)).items())]
    assert len(hits) == 1500
    asked: list[tuple[Where, int]] = [
        ({"path": "*#N12*"}, 111),
        ({"path": "*#n12*", "year": [2010, "2011"]}, 10),
        ({"page": 12}, 13),
        ({"page": ""}, 1000),
        ({"title": ["note 7", "note 9"], "headings": "item 7 > *"}, 30),
        ({"by": "M*", "headings": ""}, 1200),
        ({"by": ""}, 1),
        ({"colour": "red"}, 0),
        ({"year": []}, 0),
    ]
    for where, count in asked:
        expected = [hit.chunk_id for hit in wanted(where).admits(hits)]
        assert texts.matching(wanted(where)).tolist() == expected
        assert len(expected) == count, where


def test_filters_that_say_the_same_are_equal() -> None:
    assert SearchFilter.of({}) is SearchFilter.of(None) is None
    one, two = wanted({"year": 2018, "path": ["B", "a*"]}), wanted({"path": ["A*", "b", "b"], "year": ["2018"]})
    assert (one == two, hash(one) == hash(two)) == (True, True)
    assert wanted({"year": 2018}) != wanted({"year": [2018, 2019]})


def test_only_a_star_is_special_in_a_filter() -> None:
    hits = [
        Hit(chunk_id=1, key="", title="Foo [2018]\nreport?", text="", score=1, path="a[1].md", metadata={"year": 2018}),
        Hit(chunk_id=2, key="", title="Foo 2", text="", score=1, path="a1.md"),
    ]
    for where in ({"path": "a[1].md"}, {"title": "foo [2018]*port?"}, {"year": 2018.0}, {"path": ["nowhere", "A[*"]}):
        assert [hit.chunk_id for hit in wanted(where).admits(hits)] == [1]
    assert [hit.chunk_id for hit in wanted({"path": "a*.md"}).admits(hits)] == [1, 2]
    assert not wanted({"path": "a?.md"}).admits(hits)
