"""Ends a rollout that has sampled too many tokens; may announce the last turn."""

from __future__ import annotations

from graphs.plugins.budget import Budget
from graphs.schema import TokenBudget
from graphs.state import Rollout


class TokenBudgetPlugin(Budget[TokenBudget]):
    Settings = TokenBudget

    def spent(self, rollout: Rollout) -> bool:
        return rollout.sampled_tokens >= self.settings.tokens

    def nearly(self, rollout: Rollout) -> bool:
        return rollout.sampled_tokens >= self.settings.tokens - (self.settings.last_call_tokens or 0)
