"""Ends a rollout after a number of turns; announces the last one."""

from __future__ import annotations

from graphs.plugins.budget import Budget
from graphs.schema import StepBudget
from graphs.state import Rollout


class StepBudgetPlugin(Budget[StepBudget]):
    Settings = StepBudget

    def spent(self, rollout: Rollout) -> bool:
        return rollout.turns >= self.settings.steps

    def nearly(self, rollout: Rollout) -> bool:
        return rollout.turns >= self.settings.steps - 1
