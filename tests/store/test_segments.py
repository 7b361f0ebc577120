"""An index that grows and shrinks in segments finds what a fresh build finds; pruned BM25 is exact BM25."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from store.corpus_settings import FusionWeights
from store.errors import KarlError
from store.vectors import snapshot
from store.vectors.base import IndexEntry
from store.vectors.embedded import EmbeddedIndex
from store.vectors.lexical import Lexical
from store.vectors.passages import passages
from store.vectors.postings import Postings
from store.vectors.postings_builder import word_hash
from store.vectors.ranking import Ranking, kth_best, merge
from store.vectors.segments import Segment
from store.vectors.tokens import tokens
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


@pytest.mark.parametrize(("count", "longest"), [(20_000, 20), (1_500, 900)], ids=["one passage", "several"])
def test_pruning_leaves_scores_and_order_as_they_are(count: int, longest: int) -> None:
    """Beside all postings of a query added up one by one: every bit, ties included, of the living and of some alone."""
    rng = np.random.default_rng(4)
    drawn = np.minimum(rng.zipf(1.3, size=(count, longest)), 3_000)
    held = [IndexEntry(n, "", " ".join(f"w{word}" for word in row)) for n, row in enumerate(drawn.tolist())]
    segment = Segment.build(held, embedder=None, progress=None).without(np.arange(0, count, 5))
    whole = Lexical([segment.lexical])
    few, many = rng.random(count) < 0.01, rng.random(count) < 0.5
    queries = [" ".join(f"w{word}" for word in row) for row in np.minimum(rng.zipf(1.3, (40, 6)), 3_000).tolist()]
    for chosen_N in (np.ones(count, dtype=bool), few, many):
        searched = whole.among([chosen_N & ~segment.dead_N])
        for k in (1, 20, 300):
            for query, found in zip(queries, searched.rank_all(queries, k=k), strict=True):
                ids, scores = added_up(segment, query, chosen_N & ~segment.dead_N, k=k)
                assert found.ids.tolist() == ids and found.scores.tolist() == scores


def added_up(segment: Segment, query: str, chosen_N: np.ndarray, *, k: int) -> tuple[list[int], list[float]]:
    """BM25 as its formula says, in single precision, rarest word first."""
    postings, dead_D = segment.postings, segment.lexical.dead_D
    mean = float(postings.lengths_D[~dead_D].mean())
    norms_D = (1.5 * (0.25 + 0.75 * postings.lengths_D / mean)).astype(np.float32)
    words = []
    for word, times in Counter(tokens(query)).items():
        place = postings.place(word_hash(word))
        part = slice(0, 0) if place is None else slice(*postings.starts_T[place : place + 2])
        alive = int(np.count_nonzero(~dead_D[postings.docs_P[part]]))
        weight = math.log(1 + (np.count_nonzero(~dead_D) - alive + 0.5) / (alive + 0.5))
        words.append((alive, np.float32(weight * times), part))
    total_D = np.zeros(len(norms_D), dtype=np.float32)
    for _, weight, part in sorted(words, key=lambda word: word[0]):
        docs, counts = postings.docs_P[part], postings.counts_P[part].astype(np.float32)
        total_D[docs] += weight * (counts / (counts + norms_D[docs]))
    best_N = np.zeros(len(segment.ids_N), dtype=np.float32)
    np.maximum.at(best_N, postings.owners_D, total_D)
    found = [n for n in np.argsort(-best_N, kind="stable").tolist() if best_N[n] > 0 and chosen_N[n]][:k]
    return segment.ids_N[found].tolist(), best_N[found].tolist()


def test_a_damaged_list_is_told_before_anything_follows_it() -> None:
    segment = Segment.build(entries(50), embedder=None, progress=None)
    for value in (50, -1, 2**31 - 1):
        docs_P = segment.postings.docs_P.copy()
        docs_P[7] = value
        broken = segment.lexical._replace(postings=replace(segment.postings, docs_P=docs_P))
        with pytest.raises(KarlError, match="damaged"):
            Lexical([broken]).rank(" ".join(WORDS), k=5)


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
