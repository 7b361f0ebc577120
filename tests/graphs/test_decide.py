"""Deduplication and quality filter: decisions with reasons, run through their graphs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from agents.errors import JudgeError
from agents.judges import Attempt, Duplicate, Pair, QualityCase, RuleJudge
from graphs.decide import deduplicate, filter_quality
from graphs.similarity import word_similarity


class CountingJudge(RuleJudge):
    """The rules, and which pairs they were asked about."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    async def duplicate(self, first: Pair, second: Pair) -> Duplicate:
        self.asked.append((first.question, second.question))
        return await super().duplicate(first, second)


async def test_exact_duplicates_of_held_out_and_within_the_set() -> None:
    pairs = [
        Pair("Who leads Falcon?", "Ada"),
        Pair("Where is the Oslo office?", "Norway"),
        Pair("who leads the falcon", "Bo"),
    ]
    decisions = await deduplicate(pairs, held_out=[Pair("Where is Oslo office", "?")], judge=CountingJudge(), seed=1)
    assert [d.kept for d in decisions].count(True) == 1 and not decisions[1].kept
    assert decisions[1].reason == "exact: the same as a held-out question" and decisions[1].of == "Where is Oslo office"
    dropped = decisions[2] if decisions[0].kept else decisions[0]
    assert dropped.reason == "exact: the same as another question of the set"


async def test_the_one_kept_is_drawn_by_the_seed() -> None:
    pairs = [Pair("Who leads Falcon?", "Ada"), Pair("who leads falcon", "Ada")]
    kept = set()
    for seed in range(12):
        decisions = await deduplicate(pairs, held_out=[], judge=RuleJudge(), seed=seed)
        assert decisions == await deduplicate(pairs, held_out=[], judge=RuleJudge(), seed=seed)
        kept.add([d.kept for d in decisions].index(True))
    assert kept == {0, 1}


async def test_near_and_inverse_duplicates_go_to_the_judge() -> None:
    judge = CountingJudge()
    pairs = [Pair("Which team does Ada lead?", "Falcon"), Pair("What colour is the sky over Lima?", "blue")]
    held_out = [Pair("Who leads Falcon?", "Ada")]
    decisions = await deduplicate(pairs, held_out=held_out, judge=judge, seed=0)
    assert [d.kept for d in decisions] == [False, True]
    assert "near: a duplicate of a held-out question" in decisions[0].reason and "inverse" in decisions[0].reason
    assert judge.asked == [("Which team does Ada lead?", "Who leads Falcon?")]


async def test_a_dropped_question_does_not_drop_others() -> None:
    class Chain(RuleJudge):
        async def duplicate(self, first: Pair, second: Pair) -> Duplicate:
            near = abs(int(first.answer) - int(second.answer)) == 1
            return Duplicate(near, "neighbours", "test")

    def everything(queries: Sequence[str], texts: Sequence[str]) -> np.ndarray:
        return np.ones((len(queries), len(texts)), dtype=np.float32)

    pairs = [Pair(f"question number {n}?", str(n)) for n in range(6)]
    decisions = await deduplicate(pairs, held_out=[], judge=Chain(), seed=3, similarity=everything)
    kept = [n for n, decision in enumerate(decisions) if decision.kept]
    assert all(b - a > 1 for a, b in pairwise(kept))
    for n, decision in enumerate(decisions):
        if not decision.kept:
            assert int(decision.of.split()[-1][:-1]) in kept, (n, decision)


async def test_a_judge_that_fails_is_not_a_verdict() -> None:
    class Down(RuleJudge):
        async def duplicate(self, first: Pair, second: Pair) -> Duplicate:
            raise JudgeError("endpoint down")

    pairs = [Pair("Who leads Falcon now?", "Ada"), Pair("Who leads Falcon then?", "Ada")]
    with pytest.raises(JudgeError, match="endpoint down"):
        await deduplicate(pairs, held_out=[], judge=Down(), seed=0)


async def test_no_candidates() -> None:
    assert await deduplicate([], held_out=[Pair("a?", "b")], judge=RuleJudge(), seed=0) == []


def test_word_similarity_weighs_rare_words() -> None:
    scores = word_similarity(["who leads falcon", "zebra"], ["who leads falcon?", "who leads orion", "who eats pie"])
    assert scores.shape == (2, 3) and scores[0, 0] == pytest.approx(1.0, abs=1e-5)
    assert scores[0, 0] > scores[0, 1] > scores[0, 2] > 0 and scores[1].max() == 0


async def test_quality_filter_runs_through_its_graph() -> None:
    sound = QualityCase(
        "Who leads Falcon?", "Ada", ["Ada"], ["Ada leads Falcon"], [Attempt("Bo", 0.0), Attempt("Ada", 1.0)]
    )
    assert (await filter_quality(sound, judge=RuleJudge())).valid
    suspect = QualityCase("Who leads Falcon?", "Ada", ["Ada"], ["Ada leads Falcon"], [Attempt("Bo", 0.0)] * 4)
    verdict = await filter_quality(suspect, judge=RuleJudge())
    assert not verdict.valid and "reference suspect" in verdict.reasons[0]
