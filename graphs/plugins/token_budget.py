"""Ends a rollout that has sampled too many tokens."""

from __future__ import annotations

from graphs.plugins.base import Passive
from graphs.state import Rollout


class TokenBudgetPlugin(Passive):
    def __init__(self, *, tokens: int) -> None:
        self._tokens = tokens

    def after_turn(self, rollout: Rollout, outcome: str) -> str | None:
        return "exhausted" if outcome != "answer" and rollout.sampled_tokens >= self._tokens else None
