"""Value functions: how promising is each of K candidate continuations of one prefix?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from agents.engines.base import Generation


class ValueFunction(Protocol):
    """K values, higher is better; a value model answers probabilities of ending correct."""

    async def score(self, prefix_ids: Sequence[int], candidates_K: Sequence[Generation]) -> list[float]: ...


class LikelihoodValue:
    """Mean log-prob per token, what the policy finds most likely: the fallback without a trained value model."""

    async def score(self, prefix_ids: Sequence[int], candidates_K: Sequence[Generation]) -> list[float]:
        return [sum(c.logprobs) / max(len(c.logprobs), 1) for c in candidates_K]
