"""Votes over pools of attempts at equal sampled tokens: the same attempts serve every number and strategy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from graphs.equivalence import AnswerClusters
from graphs.schema.selection import Vote
from graphs.tally import tally

STRATEGIES: tuple[Vote, ...] = ("majority", "weighted_majority", "best_of_n")
SHUFFLES = 20  # orders in which a pool is drawn from: less noise than the one order that happened


class Drawn(NamedTuple):
    """One attempt: its answer ("" for none), whether it is right, what it weighs, what it cost."""

    answer: str
    correct: float
    weight: float | None
    tokens: int


class Compared(NamedTuple):
    """Of one question, means over shuffles; strategies as in STRATEGIES.

    short_draws: shuffles in which all parallel attempts together cost fewer tokens than the guided ones.
    """

    guided: tuple[float, ...]
    guided_tokens: float
    parallel: tuple[float, ...]
    parallel_tokens: float
    parallel_attempts: float
    short_draws: int


async def compare(guided: Sequence[Drawn], parallel: Sequence[Drawn], *, searches: int, seed: int) -> Compared:
    """`searches` guided attempts against as few parallel ones as have cost at least as many tokens."""
    # A stream for each side: the guided draws are the same whatever they are compared with.
    our_draw, their_draw = (np.random.default_rng([seed, side]) for side in range(2))
    rows: list[list[float]] = []
    for _ in range(SHUFFLES):
        ours = [guided[i] for i in our_draw.permutation(len(guided))[:searches]]
        paid = _cost(ours)
        theirs = _worth([parallel[i] for i in their_draw.permutation(len(parallel))], tokens=paid)
        right = [await voted(attempts, strategy) for attempts in (ours, theirs) for strategy in STRATEGIES]
        rows.append([*right, paid, _cost(theirs), len(theirs), _cost(theirs) < paid])
    means, count = np.mean(rows, axis=0).tolist(), len(STRATEGIES)
    guided_tokens, parallel_tokens, attempts, short = means[2 * count :]
    return Compared(
        tuple(means[:count]),
        guided_tokens,
        tuple(means[count : 2 * count]),
        parallel_tokens,
        attempts,
        round(short * SHUFFLES),
    )


async def voted(attempts: Sequence[Drawn], strategy: Vote) -> float:
    """Whether the answer that wins the vote is right; 0 where nothing was answered."""
    answered = [attempt for attempt in attempts if attempt.answer]
    if not answered:
        return 0.0
    clusters = await AnswerClusters().sort([attempt.answer for attempt in answered], question="")
    return answered[tally(clusters, [attempt.weight for attempt in answered], strategy=strategy).answer].correct


def _worth(attempts: Sequence[Drawn], *, tokens: int) -> list[Drawn]:
    """The first attempts whose cost reaches `tokens`, so that the baseline has the rounding; all where they don't."""
    taken: list[Drawn] = []
    for attempt in attempts:
        taken.append(attempt)
        if _cost(taken) >= tokens:
            break
    return taken


def _cost(attempts: Sequence[Drawn]) -> int:
    return sum(attempt.tokens for attempt in attempts)
