"""Sends a rollout whose history has grown long to the compress node."""

from __future__ import annotations

from graphs.plugins.base import Passive
from graphs.schema import Compression
from graphs.state import Rollout


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
        return chars is not None and rollout.conversation.chars > chars
