"""The loss once more, in float64 and by other means: what ours is held against. It shares no line with `oapl.py`.

Log-probs come from `exact_model` or from the trainer; the equations are plain Python with exact sums (`math.fsum`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rl_backend.exact_model import ExactModel
from rl_backend.rollouts import RolloutLike, SegmentLike

Logprobs = Sequence[NDArray[np.floating]]
"Of one rollout: ln pi(y_t) for every token of each of its segments."


def exact_value(rewards: Sequence[float], *, beta1: float) -> float:
    """V = beta1 * ln((1/G) * sum_i exp(r_i / beta1)), with the largest reward taken out first."""
    top = max(rewards)
    return top + beta1 * math.log(math.fsum(math.exp((reward - top) / beta1) for reward in rewards) / len(rewards))


def exact_loss(
    rollouts: Sequence[RolloutLike], logprobs: Sequence[Logprobs], *, beta1: float, beta2: float, segment_loss: str
) -> float:
    """mean_k (beta2 * L_k - A_k)^2 over all segments, or over all rollouts, of whole groups."""
    rewards: dict[int, list[float]] = defaultdict(list)
    for rollout in rollouts:
        rewards[rollout.group_id].append(rollout.reward)
    values = {group: exact_value(found, beta1=beta1) for group, found in rewards.items()}
    squares: list[float] = []
    for rollout, logp in zip(rollouts, logprobs, strict=True):
        ratios = [math.fsum(_ratios(*pair)) for pair in zip(rollout.segments, logp, strict=True)]
        terms = ratios if segment_loss == "per_segment" else [math.fsum(ratios)]
        squares += [(beta2 * term - (rollout.reward - values[rollout.group_id])) ** 2 for term in terms]
    return math.fsum(squares) / len(squares)


def exact_logprobs(base: Path, rollouts: Sequence[RolloutLike]) -> list[list[NDArray[np.float64]]]:
    """ln pi(y_t) of the model at `base`."""
    model = ExactModel(base)
    return [[model.logprobs(segment.token_ids) for segment in rollout.segments] for rollout in rollouts]


def _ratios(segment: SegmentLike, logp: NDArray[np.floating]) -> Iterator[float]:
    for value, recorded, trained in zip(logp, segment.logprobs, segment.loss_mask, strict=True):
        if trained:
            yield float(value) - float(recorded)
