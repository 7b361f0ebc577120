"""Ends a rollout after a number of turns; announces the last one."""

from __future__ import annotations

from graphs.plugins.base import Passive
from graphs.state import Rollout


class StepBudgetPlugin(Passive):
    """`last_call`: text put under the reply that comes before the last turn; None: no announcement."""

    def __init__(self, *, steps: int, last_call: str | None) -> None:
        self._steps = steps
        self._last_call = last_call

    def after_turn(self, rollout: Rollout, outcome: str) -> str | None:
        return "exhausted" if outcome != "answer" and rollout.turns >= self._steps else None

    def before_reply(self, rollout: Rollout, reply: str) -> str:
        if self._last_call is None or rollout.turns != self._steps - 1:
            return reply
        return f"{reply}\n{self._last_call}"
