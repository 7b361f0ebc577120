"""Lifecycle plugins: they see every turn and every tool reply, and may redirect the rollout or add to the reply."""

from __future__ import annotations

from typing import Protocol

from graphs.state import Rollout


class Plugin(Protocol):
    """All three are called in the graph's order of plugins; the first outcome given wins."""

    def after_turn(self, rollout: Rollout, outcome: str) -> str | None:
        """Another outcome for the turn that was just taken, or None."""
        ...

    def before_reply(self, rollout: Rollout, reply: str) -> str:
        """The text of a tool's reply (or of a fresh segment's prompt), changed or not."""
        ...

    def after_tool(self, rollout: Rollout) -> str | None:
        """Another outcome for the tool's node, or None."""
        ...


class Passive:
    """Does nothing at any point; plugins override what they need."""

    def after_turn(self, rollout: Rollout, outcome: str) -> str | None:
        return None

    def before_reply(self, rollout: Rollout, reply: str) -> str:
        return reply

    def after_tool(self, rollout: Rollout) -> str | None:
        return None
