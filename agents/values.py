"""Value functions: how likely is a rollout that goes on with this candidate to end correct?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from agents.engines.base import Generation
from agents.errors import EngineError, boundary


class ValueFunction(Protocol):
    """Scores K candidate continuations of one prefix of T token ids.

    Returns K values in [0, 1], in the order of the candidates: each the probability that the rollout ends correct
    if it goes on with that one (KARL, section 6; Wang et al., arXiv 2505.17373). The same arguments must give the
    same values. `name` is written beside every value in the trace.
    """

    @property
    def name(self) -> str: ...

    async def score(self, prefix_ids: Sequence[int], candidates_K: Sequence[Generation]) -> list[float]: ...


class LikelihoodValue:
    """What the policy itself finds most likely: the fallback without a trained value model, no probability of success.

    The geometric mean of the probabilities of a candidate's tokens, in [0, 1]; an empty candidate has 1.
    """

    name = "likelihood"

    async def score(self, prefix_ids: Sequence[int], candidates_K: Sequence[Generation]) -> list[float]:
        # Log-probs of a real engine are never above 0; rounding may put one there.
        return [math.exp(min(0.0, math.fsum(c.logprobs) / max(len(c.logprobs), 1))) for c in candidates_K]


async def scored(function: ValueFunction, prefix_ids: Sequence[int], candidates_K: Sequence[Generation]) -> list[float]:
    """K values, checked. Raises: EngineError when the function fails, or answers anything but K numbers in [0, 1]."""
    async with boundary(EngineError, f"value function {function.name}"):
        values_K = [float(value) for value in await function.score(prefix_ids, candidates_K)]
        if len(values_K) != len(candidates_K):
            raise ValueError(f"{len(values_K)} values for {len(candidates_K)} candidates")
        wrong = [value for value in values_K if not 0.0 <= value <= 1.0]
        if wrong:
            raise ValueError(f"{wrong[0]} is no probability; a value lies in [0, 1]")
    return values_K
