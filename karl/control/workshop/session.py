"""Questions put to a draft, one after the other: the process that answers and its model stay between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from karl.control.workshop.drafts import Draft
from karl.control.workshop.trial import Scratch, Trial
from karl.settings import Settings

if TYPE_CHECKING:
    from karl.control.conversation import Conversation
    from karl.control.events import Event


class TrialSession:
    """Of one draft. Close it, to end the process and remove the scratch folder."""

    def __init__(self) -> None:
        self._scratch: Scratch | None = None
        self._held: tuple[str, str, Conversation] | None = None  # graph, corpus

    async def ask(
        self, draft: Draft, question: str, *, trial: Trial, corpus: str, settings: Settings
    ) -> AsyncGenerator[Event, None]:
        """What happens, as `Conversation.ask` tells it. Leaving the loop early cancels the question.

        Raises: OSError when the scratch folder can't be written.
        """
        if self._scratch is None:
            self._scratch = await asyncio.to_thread(Scratch, draft, settings)
        await asyncio.to_thread(self._scratch.put, draft.text)
        conversation = await self._conversation(trial.graph, corpus, self._scratch.settings)
        async with aclosing(conversation.ask(question)) as events:
            async for event in events:
                yield event

    async def _conversation(self, graph: str, corpus: str, settings: Settings) -> Conversation:
        from karl.control.conversation import Conversation

        if self._held is None or self._held[:2] != (graph, corpus):
            await self._end()
            self._held = (graph, corpus, Conversation(settings, corpus=corpus, graph=graph))
        return self._held[2]

    async def _end(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            await held[2].aclose()

    async def aclose(self) -> None:
        """Safe to call twice."""
        await self._end()
        scratch, self._scratch = self._scratch, None
        if scratch is not None:
            await asyncio.to_thread(scratch.close)
