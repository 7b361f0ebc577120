"""Sends a rollout whose history has grown long to the compress node."""

from __future__ import annotations

from graphs.plugins.base import Passive
from graphs.state import Rollout


class CompressionPlugin(Passive):
    def __init__(self, *, trigger_tokens: int) -> None:
        self._trigger = trigger_tokens

    def after_tool(self, rollout: Rollout) -> str | None:
        return "compress" if len(rollout.conversation) > self._trigger else None
