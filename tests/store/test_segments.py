"""An index that grows and shrinks in segments finds what a fresh build finds; pruned BM25 is exact BM25."""

from __future__ import annotations

import numpy as np
import pytest

from store.corpus_settings import FusionWeights
from store.vectors import maxscore, snapshot
from store.vectors.base import IndexEntry
from store.vectors.embedded import EmbeddedIndex
from store.vectors.lexical import Lexical
from store.vectors.passages import passages
from store.vectors.postings import Postings, word_hash
from store.vectors.ranking import Ranking, kth_best, merge
from store.vectors.segments import Segment
from tests.store.test_vectors import FixedTexts, HashEmbedder, an_index

QUERIES = ["alpha beta", "gamma", "kappa delta beta", "omega omega alpha", "nothing"]
WORDS = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "omega"]


def entries(count: int, *, seed: int = 0, longest: int = 12) -> list[IndexEntry]:
    """Of up to `longest` words: about 200 make a passage."""
    rng = np.random.default_rng(seed)
    drawn = rng.zipf(1.5, size=(count, longest)) % len(WORDS)
    lengths = rng.integers(12, longest + 1, size=count)
    return [
        IndexEntry(n, f"t{n % 7}", " ".join(WORDS[word] for word in row[:length]))
        for n, (row, length) in enumerate(zip(drawn, lengths, strict=True))
    ]


def growing(held: list[IndexEntry], *, embedder: HashEmbedder | None = None) -> EmbeddedIndex:
    return EmbeddedIndex(FixedTexts(held), embedder=embedder, fusion=FusionWeights())


def exact(index: EmbeddedIndex, k: int = 20) -> list[list[tuple[int, float]]]:
    return [[(hit.chunk_id, hit.score) for hit in hits] for hits in index.search(QUERIES, k=k)]


@pytest.mark.parametrize("longest", [12, 600], ids=["one passage", "several"])
@pytest.mark.parametrize("embedder", [None, HashEmbedder()], ids=["bm25", "hybrid"])
def test_additions_changes_and_deletions_rank_as_a_fresh_build_to_the_last_bit(
    embedder: HashEmbedder | None, longest: int
) -> None:
    first, changed = entries(200, longest=longest), entries(200, seed=1, longest=longest)
    index = growing(changed, embedder=embedder)
    index.build(first[:150])
    for start in (150, 160):
        index.add(first[start : start + 10])
    index.add([changed[5], changed[104], changed[160]])
    index.delete([0, 1, 101, 9999])
    assert len(index.snapshot.segments) > 2
    now = {entry.chunk_id: entry for entry in [*first[:170], changed[5], changed[104], changed[160]]}
    fresh = growing(changed, embedder=embedder)
    fresh.build([entry for chunk_id, entry in now.items() if chunk_id not in (0, 1, 101)])
    assert index.stats().chunks == fresh.stats().chunks == 167
    assert exact(index) == exact(fresh)
    assert [len(hits) for hits in exact(index)] == [20, 20, 20, 20, 20 if embedder else 0]
    index.compact()
    assert (len(index.snapshot.segments), exact(index)) == (1, exact(fresh))


def test_segments_are_merged_when_they_are_many_or_large() -> None:
    held = entries(400)
    index = growing(held)
    index.build(held[:200])
    for n in range(snapshot.MOST_ADDITIONS):
        index.add([held[200 + n]])
    assert len(index.snapshot.segments) == 1 + snapshot.MOST_ADDITIONS
    index.add([held[220]])
    assert [segment.alive for segment in index.snapshot.segments] == [200, snapshot.MOST_ADDITIONS + 1]
    index.add(held[230:280])
    assert [segment.alive for segment in index.snapshot.segments] == [259]
    index.delete(range(100))
    assert [(segment.alive, segment.dead) for segment in index.snapshot.segments] == [(159, 0)]
    index.delete(range(400))
    assert (index.stats().chunks, index.snapshot.segments, exact(index)) == (0, (), [[]] * 5)


@pytest.mark.parametrize(("count", "longest"), [(3000, 12), (400, 900)], ids=["one passage", "several"])
def test_pruning_leaves_scores_and_order_as_they_are(count: int, longest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    index = an_index(entries(count, longest=longest))
    whole = [exact(index, k) for k in (1, 3, 50)]
    monkeypatch.setattr(maxscore, "SHORT", 0)
    monkeypatch.setattr(maxscore, "FEW", 0)
    assert [exact(index, k) for k in (1, 3, 50)] == whole


def test_a_chunk_scores_as_its_best_passage() -> None:
    held = [
        *entries(40, longest=900),
        IndexEntry(40, "long", "omega " * 150 + "boats and waves. " * 200 + "lighthouse"),
    ]
    passage = [(owner, text) for owner, entry in enumerate(held) for text in passages(entry)]
    apart = Segment.of(np.arange(len(passage)), Postings.build([[text] for _, text in passage]), None)
    best: dict[int, float] = {}
    for place, score in zip(*Lexical([apart.lexical]).rank("omega lighthouse beta", k=len(passage)), strict=True):
        owner = passage[place][0]
        best[owner] = max(score, best.get(owner, 0.0))
    found = an_index(held).search(["omega lighthouse beta"], k=100)[0]
    assert len(passage) > 2 * len(held)
    assert {hit.chunk_id: hit.score for hit in found} == best
    assert [hit.chunk_id for hit in found] == sorted(best, key=lambda owner: (-best[owner], owner))


def test_weights_follow_from_the_living_documents_alone() -> None:
    segment = Segment.build(entries(50, longest=900), embedder=None, progress=None)
    halved = segment.without(np.arange(25))
    assert halved.dead == 25
    places, lost = halved.lost
    early = np.flatnonzero(halved.postings.owners_D < 25)
    held = [np.isin(halved.postings.docs_P[slice(*halved.postings.starts_T[p : p + 2])], early).sum() for p in places]
    assert len(early) > 40
    assert lost.tolist() == held
    assert halved.without(np.arange(25)) is halved
    assert not np.isin(Lexical([halved.lexical]).rank("alpha beta", k=50).ids, np.arange(25)).any()


def test_postings_count_words_and_cap_what_is_absurd() -> None:
    postings = Postings.build([["beta alpha beta"], ["", "beta " * 70_000]])
    assert (postings.lengths_D.tolist(), postings.owners_D.tolist()) == ([3, 0, 70_000], [0, 1, 1])
    place = postings.place(word_hash("beta"))
    assert place is not None
    start, end = postings.starts_T[place : place + 2]
    assert postings.docs_P[start:end].tolist() == [0, 2]
    assert postings.counts_P[start:end].tolist() == [2, 65_535]
    assert postings.place(word_hash("gamma")) is None
    assert Postings.build([]).place(word_hash("beta")) is None


def test_the_kth_best_is_found_among_ties_and_outliers() -> None:
    rng = np.random.default_rng(0)
    for scores in (rng.random(1000), np.ones(50), np.r_[1e6, rng.random(500)], rng.integers(0, 3, 300)):
        values = scores.astype(np.float32)
        for k in (1, 7, len(values)):
            assert kth_best(values, k=k) == np.sort(values)[-k]


def test_rankings_of_segments_merge_by_score_then_id() -> None:
    one = Ranking(np.array([4, 9]), np.array([2.0, 1.0], dtype=np.float32))
    two = Ranking(np.array([1, 3]), np.array([2.0, 1.5], dtype=np.float32))
    assert merge([one, two], k=3).ids.tolist() == [1, 4, 3]
    assert merge([], k=3).ids.tolist() == []
