"""Shares and ties in numbers; which answers count as one."""

from __future__ import annotations

import asyncio
from typing import Literal

import pytest

from agents.judges import Equivalence, RuleJudge
from graphs.equivalence import AnswerClusters
from graphs.tally import tally

Strategy = Literal["majority", "weighted_majority", "best_of_n"]


@pytest.mark.parametrize(
    ("strategy", "clusters", "weights", "cluster", "answer", "confidence"),
    [
        ("majority", [[0], [1, 2]], [0.9, 0.1, 0.2], 1, 2, 2 / 3),
        ("weighted_majority", [[0], [1, 2]], [0.9, 0.1, 0.2], 0, 0, 0.75),
        ("best_of_n", [[0], [1, 2]], [0.3, 0.1, 0.8], 1, 2, 0.8),
        # A tie: more members, then more weight, then the first given.
        ("majority", [[0, 1], [2, 3]], [0.1, 0.1, 0.3, 0.2], 1, 2, 0.5),
        ("majority", [[0, 2], [1, 3]], [0.2, 0.2, 0.2, 0.2], 0, 0, 0.5),
        ("weighted_majority", [[0], [1, 2]], [0.5, 0.25, 0.25], 1, 1, 0.5),
        ("best_of_n", [[0], [1, 2]], [0.5, 0.5, 0.1], 1, 1, 0.5),
        # Unknown weights count as the average of the known ones, and as 1 where none is known.
        ("weighted_majority", [[0], [1, 2]], [0.4, None, 0.2], 1, 1, 0.5 / 0.9),
        ("weighted_majority", [[0], [1, 2]], [None, None, None], 1, 1, 2 / 3),
        ("best_of_n", [[0], [1, 2]], [None, None, None], 1, 1, None),
        ("weighted_majority", [[0], [1, 2]], [0.0, 0.0, 0.0], 1, 1, 0.0),
        ("majority", [[0]], [None], 0, 0, 1.0),
    ],
)
def test_tally(
    strategy: Strategy,
    clusters: list[list[int]],
    weights: list[float | None],
    cluster: int,
    answer: int,
    confidence: float | None,
) -> None:
    choice = tally(clusters, weights, strategy=strategy)
    assert (choice.cluster, choice.answer) == (cluster, answer)
    assert choice.confidence == (None if confidence is None else pytest.approx(confidence))


def test_shares_add_up_to_one_and_the_order_of_attempts_decides_nothing_else() -> None:
    weights = [0.1, 0.2, 0.3, 0.15, 0.25]
    first = tally([[0, 1], [2], [3, 4]], weights, strategy="weighted_majority")
    assert first.scores == pytest.approx([0.3, 0.3, 0.4]) and first.cluster == 2
    again = tally([[0, 1], [2, 3], [4]], [0.25, 0.15, 0.2, 0.1, 0.3], strategy="weighted_majority")
    assert again.scores == pytest.approx([0.4, 0.3, 0.3]) and again.cluster == 0


class Says(RuleJudge):
    """Holds the pairs given to be the same; counts what it is asked."""

    name = "says"

    def __init__(self, *pairs: tuple[str, str]) -> None:
        self.pairs = {frozenset(pair) for pair in pairs}
        self.asked: list[tuple[str, str]] = []

    async def equivalent(self, first: str, second: str, *, question: str) -> Equivalence:
        self.asked.append((first, second))
        await asyncio.sleep(0)
        return Equivalence(frozenset((first, second)) in self.pairs, "so it was said", self.name)


async def test_equal_in_canonical_form_needs_no_judge() -> None:
    answers = ["Oslo", "lima", "the OSLO.", "3.0, Ada", "Ada and three"]
    assert await AnswerClusters().sort(answers, question="q?") == [[0, 2], [1], [3, 4]]
    judge = Says()
    assert await AnswerClusters(judge).sort(answers, question="q?") == [[0, 2], [1], [3, 4]]
    assert judge.asked == [("Oslo", "lima"), ("Oslo", "3.0, Ada"), ("lima", "3.0, Ada")]


async def test_a_judges_verdicts_are_transitive_and_kept() -> None:
    judge = Says(("NYC", "Big Apple"), ("Big Apple", "New York"))
    clusters = AnswerClusters(judge)
    answers = ["NYC", "Boston", "Big Apple", "New York", "nyc"]
    assert await clusters.sort(answers, question="q?") == [[0, 2, 3, 4], [1]]
    assert len(judge.asked) == 6
    assert await clusters.sort(list(reversed(answers)), question="q?") == [[0, 1, 2, 4], [3]]
    assert len(judge.asked) == 6
    await clusters.sort(answers[:2], question="another?")
    assert len(judge.asked) == 7
