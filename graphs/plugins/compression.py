"""Sends a rollout whose history has grown long to the compress node."""

from __future__ import annotations

from dataclasses import dataclass

from graphs.plugins.base import Passive
from graphs.schema import Compression
from graphs.state import Rollout


@dataclass(slots=True)
class _Counted:
    """Characters of the first `tokens` tokens of segment `segment`."""

    segment: int = 0
    tokens: int = 0
    chars: int = 0


class CompressionPlugin(Passive[Compression]):
    Settings = Compression

    def after_tool(self, rollout: Rollout) -> str | None:
        limit = self.settings.max_compressions
        # Segments opened so far, less the first: one for every compression.
        if limit is not None and rollout.conversation.opened > limit:
            return None
        return "compress" if self._too_long(rollout) else None

    def _too_long(self, rollout: Rollout) -> bool:
        tokens, chars = self.settings.trigger_tokens, self.settings.trigger_chars
        if tokens is not None and len(rollout.conversation) > tokens:
            return True
        return chars is not None and self._chars(rollout) > chars

    def _chars(self, rollout: Rollout) -> int:
        """Only what is new is decoded: the whole history at every turn would be quadratic."""
        counted, conversation = self.note(rollout, _Counted), rollout.conversation
        if counted.segment != conversation.opened:
            counted.segment, counted.tokens, counted.chars = conversation.opened, 0, 0
        counted.chars += len(conversation.template.decode(conversation.token_ids[counted.tokens :]))
        counted.tokens = len(conversation)
        return counted.chars
