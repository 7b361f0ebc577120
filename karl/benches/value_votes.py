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
    """Of one question, means over shuffles; strategies as in STRATEGIES."""

    guided: tuple[float, ...]
    guided_tokens: float
    parallel: tuple[float, ...]
    parallel_tokens: float
    parallel_attempts: float


async def compare(guided: Sequence[Drawn], parallel: Sequence[Drawn], *, searches: int, seed: int) -> Compared:
    """`searches` guided attempts against as few parallel ones as have cost at least as many tokens."""
    draw = np.random.default_rng(seed)
    rows: list[list[float]] = []
    for _ in range(SHUFFLES):
        ours = [guided[i] for i in draw.permutation(len(guided))[:searches]]
        paid = sum(attempt.tokens for attempt in ours)
        theirs = _worth([parallel[i] for i in draw.permutation(len(parallel))], tokens=paid)
        right = [await voted(attempts, strategy) for attempts in (ours, theirs) for strategy in STRATEGIES]
        rows.append([*right, paid, sum(attempt.tokens for attempt in theirs), len(theirs)])
    means = np.mean(rows, axis=0).tolist()
    count = len(STRATEGIES)
    return Compared(
        tuple(means[:count]), means[2 * count], tuple(means[count : 2 * count]), means[2 * count + 1], means[-1]
    )


async def voted(attempts: Sequence[Drawn], strategy: Vote) -> float:
    """Whether the answer that wins the vote is right; 0 where nothing was answered."""
    answered = [attempt for attempt in attempts if attempt.answer]
    if not answered:
        return 0.0
    clusters = await AnswerClusters().sort([attempt.answer for attempt in answered], question="")
    return answered[tally(clusters, [attempt.weight for attempt in answered], strategy=strategy).answer].correct


def bootstrap(values: Sequence[float], *, seed: int, draws: int = 4000) -> dict[str, float]:
    """Mean and 95% percentile interval over resampled questions."""
    array = np.asarray(values)
    picks = np.random.default_rng(seed).integers(0, len(array), (draws, len(array)))
    low, high = np.quantile(array[picks].mean(axis=1), [0.025, 0.975])
    return {"mean": round(float(array.mean()), 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def _worth(attempts: Sequence[Drawn], *, tokens: int) -> list[Drawn]:
    """The first attempts whose cost reaches `tokens`: never fewer, so that the baseline has the rounding."""
    taken: list[Drawn] = []
    for attempt in attempts:
        taken.append(attempt)
        if sum(one.tokens for one in taken) >= tokens:
            break
    return taken
