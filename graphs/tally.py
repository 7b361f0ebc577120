"""Which cluster of equal answers wins a vote, which of its members speaks for it, and by how much."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from graphs.schema import Vote


class Choice(NamedTuple):
    """`scores`: one per cluster: its share of the votes or weights, or its best weight (best_of_n).

    `cluster` indexes the clusters, `answer` the N answers. `confidence` is the winner's score; None where the best of
    N was to be chosen and nothing weighs anything.
    """

    cluster: int
    answer: int
    scores: list[float]
    confidence: float | None


def tally(clusters: Sequence[Sequence[int]], weights_N: Sequence[float | None], *, strategy: Vote) -> Choice:
    """majority: most members; weighted_majority: largest sum of weights; best_of_n: largest weight.

    Of equals the cluster with more members wins, then the one that weighs more, then the one that was given first. An
    answer of unknown weight weighs as much as the others do on average; if none is known, all weigh 1. The winner's
    heaviest member speaks for it, the first of equals.
    """
    weights = _complete(weights_N)
    scores = [_score(members, weights, strategy) for members in clusters]
    ranks = [
        (score, len(members), _sum(members, weights), -min(members))
        for score, members in zip(scores, clusters, strict=True)
    ]
    winner = max(range(len(clusters)), key=lambda index: ranks[index])
    answer = max(clusters[winner], key=lambda index: (weights[index], -index))
    unknown = strategy == "best_of_n" and weights_N[answer] is None
    return Choice(winner, answer, scores, None if unknown else scores[winner])


def _complete(weights_N: Sequence[float | None]) -> list[float]:
    known = [weight for weight in weights_N if weight is not None]
    neutral = math.fsum(known) / len(known) if known else 1.0
    return [neutral if weight is None else weight for weight in weights_N]


def _score(members: Sequence[int], weights: Sequence[float], strategy: Vote) -> float:
    match strategy:
        case "majority":
            return len(members) / len(weights)
        case "weighted_majority":
            return _sum(members, weights) / (math.fsum(weights) or 1.0)
        case "best_of_n":
            return max(weights[index] for index in members)


def _sum(members: Sequence[int], weights: Sequence[float]) -> float:
    # Exact, so that the order of the attempts can't decide between equals.
    return math.fsum(weights[index] for index in members)
