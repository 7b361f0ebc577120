"""Ends a rollout whose time is over; may announce the last turn. Such rollouts depend on the clock, not on the seed."""

from __future__ import annotations

import time

from graphs.plugins.budget import Budget
from graphs.schema import TimeBudget
from graphs.state import Rollout


class TimeBudgetPlugin(Budget[TimeBudget]):
    Settings = TimeBudget

    def spent(self, rollout: Rollout) -> bool:
        return time.monotonic() - rollout.began >= self.settings.seconds

    def nearly(self, rollout: Rollout) -> bool:
        left = self.settings.seconds - (time.monotonic() - rollout.began)
        return left <= (self.settings.last_call_seconds or 0.0)

    def before_turn(self, rollout: Rollout) -> str | None:
        # A slow tool may have used up what was left: no engine is asked for a turn that comes too late.
        return "exhausted" if self.spent(rollout) else None
