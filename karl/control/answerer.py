"""Questions to a process that holds the models: started when it is first needed, and anew after it has died."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from karl.control.child import GRACE, Child
from karl.control.events import LAST, Event, Failed, Ready
from karl.control.requests import Ask, Cancel, Compare, Load, Request, Vote
from karl.settings import Settings
from store.errors import KarlError

MODULE = "karl.control.answering"


class Answerer:
    """One thing at a time; who comes meanwhile waits. Every stream ends with one of `events.LAST`.

    Leaving a stream early cancels what was asked; the models stay. Close it, to give their memory back.
    """

    def __init__(self, settings: Settings, *, module: str = MODULE) -> None:
        self._settings, self._module = settings, module
        self._child: Child | None = None
        self._turn = asyncio.Lock()
        self._asked = False  # something is under way

    @property
    def pid(self) -> int | None:
        """Of the process; None: there is none now."""
        return self._child.pid if self._child is not None and self._child.lives else None

    @property
    def busy(self) -> bool:
        return self._turn.locked()

    def load(self, systems: Sequence[str], corpus: str) -> AsyncGenerator[Event, None]:
        return self._exchange(Load(tuple(systems), corpus))

    def ask(self, system: str, corpus: str, question: str, *, seed: int = 0) -> AsyncGenerator[Event, None]:
        """Loads the model where that has not been done."""
        return self._exchange(Ask(system, corpus, question, seed))

    def compare(
        self, systems: Sequence[str], corpus: str, question: str, *, blind: bool, seed: int | None = None
    ) -> AsyncGenerator[Event, None]:
        """A battle of the arena, stored when all have ended."""
        return self._exchange(Compare(tuple(systems), corpus, question, blind, seed))

    def vote(self, battle: str, choice: str, *, note: str = "") -> AsyncGenerator[Event, None]:
        return self._exchange(Vote(battle, choice, note))

    async def ready(self, systems: Sequence[str], corpus: str) -> Ready:
        """`load`, waited for. Raises: KarlError that says why it can't be."""
        last: Event | None = None
        async for event in self.load(systems, corpus):
            last = event
        if isinstance(last, Ready):
            return last
        raise KarlError(last.reason if isinstance(last, Failed) else f"no model was loaded: {last}")

    async def cancel(self) -> None:
        """What is under way ends with `Failed`, in the stream that waits for it."""
        if self._child is not None and self._asked:
            await self._child.say(Cancel())

    async def aclose(self) -> None:
        """Safe to call twice; a question asked afterwards starts another process."""
        child, self._child = self._child, None
        if child is not None:
            await child.aclose()

    async def _exchange(self, request: Request) -> AsyncGenerator[Event, None]:
        async with self._turn:
            child = await self._living()
            await child.say(request)
            self._asked = True
            try:
                while self._asked:
                    event = await child.hear()
                    self._asked = not isinstance(event, LAST)
                    yield event
            finally:
                if self._asked:
                    await _given_up(child)
                    self._asked = False

    async def _living(self) -> Child:
        if self._child is None or not self._child.lives:
            await self.aclose()
            self._child = await Child.start(self._module, self._settings)
        return self._child


async def _given_up(child: Child) -> None:
    """Nobody listens any more: what it still tells must not be taken for the next question's."""
    await child.say(Cancel())
    try:
        async with asyncio.timeout(GRACE):
            while not isinstance(await child.hear(), LAST):
                pass
    except TimeoutError:
        child.kill()
