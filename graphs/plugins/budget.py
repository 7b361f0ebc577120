"""What the budgets share: an announcement before the last turn, and the end when nothing is left."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from graphs.plugins.base import Passive, SettingsT
from graphs.state import Rollout
from prompts import Prompt


@dataclass(slots=True)
class _LastCall:
    """`after`: the number of turns that had been taken when the next one was announced as the last."""

    after: int | None = None


class Budget(Passive[SettingsT], ABC):
    """Ends a rollout that is `spent` and has not answered; announces the last turn once it is `nearly` spent.

    The announced turn is the last one even if the budget would allow another: the prompt says so.
    """

    def __init__(self, settings: SettingsT, prompts: Mapping[str, Prompt]) -> None:
        super().__init__(settings, prompts)
        self._last_call = prompts["last_call"].render() if "last_call" in prompts else None

    @abstractmethod
    def spent(self, rollout: Rollout) -> bool: ...

    def nearly(self, rollout: Rollout) -> bool:
        """Asked only where a last call is wanted."""
        return False

    def after_turn(self, rollout: Rollout, outcome: str) -> str | None:
        called = self.note(rollout, _LastCall).after
        over = self.spent(rollout) or (called is not None and rollout.turns > called)
        return "exhausted" if outcome != "answer" and over else None

    def before_reply(self, rollout: Rollout, reply: str) -> str:
        if self._last_call is None:
            return reply
        note = self.note(rollout, _LastCall)
        if note.after is None and not self.nearly(rollout):
            return reply
        note.after = rollout.turns if note.after is None else note.after
        # Another budget may have said it already.
        return reply if reply.endswith(self._last_call) else f"{reply}\n{self._last_call}"
