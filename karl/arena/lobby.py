"""Battles that a server has under way: begun, listened to from any point, voted on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, Field

from karl.arena.battle import Battle, fight, make_battle
from karl.arena.match import chosen_corpus
from karl.arena.ring import Ring
from karl.arena.spec import EMBEDDED
from karl.arena.systems import find_systems
from karl.arena.telling import Told
from karl.arena.voting import choices
from karl.settings import Settings
from store import queries
from store.errors import KarlError, UsageError
from store.session import Store

MOST_RUNNING = 4
SILENCE = 10.0  # seconds
MOST_KEPT = 100  # battles whose events can still be replayed


class Busy(KarlError):
    """More would only make all of them slower."""


class Asked(BaseModel, frozen=True, extra="forbid"):
    """What the page sends. `corpus` None: the only one."""

    question: str
    systems: tuple[str, ...]
    corpus: str | None = None
    blind: bool = True


class Choice(BaseModel, frozen=True, extra="forbid"):
    choice: str = Field(max_length=16)
    note: str = ""


@dataclass
class Running:
    """A battle and all that it has told so far. The last event is named `end`."""

    battle: Battle
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    work: asyncio.Task[None] | None = None

    @property
    def over(self) -> bool:
        return bool(self.events) and self.events[-1][0] == "end"

    def tell(self, name: str, told: dict[str, Any]) -> None:
        self.events.append((name, told))
        # A fresh one for the next wait: whoever waits on this one is woken.
        self.changed, changed = asyncio.Event(), self.changed
        changed.set()

    async def listen(self, start: int) -> AsyncIterator[tuple[int, str, dict[str, Any]] | None]:
        """Events from number `start` on, to the last; None after a silence, so that a lost listener is noticed."""
        place = start
        while True:
            changed = self.changed
            while place < len(self.events):
                yield place, *self.events[place]
                place += 1
            if self.over:
                return
            try:
                await asyncio.wait_for(changed.wait(), SILENCE)
            except TimeoutError:
                yield None


class Lobby:
    """`offered`: systems to choose from; empty: all checkpoints of the store, and the embedded policy."""

    def __init__(self, store: Store, settings: Settings, ring: Ring, *, offered: Sequence[str] = ()) -> None:
        self.store = store
        self.settings = settings
        self._ring = ring
        self._offered = tuple(offered)
        self._running: dict[str, Running] = {}
        self._beginning = 0

    def offered(self) -> list[str]:
        if self._offered:
            return list(self._offered)
        with self.store.session() as session:
            return [*(row.name for row in reversed(queries.checkpoints(session))), EMBEDDED]

    def corpora(self) -> list[str]:
        with self.store.session() as session:
            return [corpus.name for corpus in queries.corpora(session)]

    async def begin(self, asked: Asked) -> Running:
        """Raises: UsageError for what is wrong with it; Busy when enough is under way."""
        # Those that still begin count: between the question and the first `await` many could slip in.
        if self._beginning + sum(not running.over for running in self._running.values()) >= MOST_RUNNING:
            raise Busy(f"{MOST_RUNNING} questions are being answered; wait for one of them")
        self._beginning += 1
        try:
            running = Running(await asyncio.to_thread(self._battle, asked))
        finally:
            self._beginning -= 1
        self._running[running.battle.key] = running
        running.work = asyncio.create_task(self._fight(running))
        self._forget()
        return running

    def running(self, key: str) -> Running | None:
        return self._running.get(key)

    async def aclose(self) -> None:
        """What is under way is given up; what was answered is stored."""
        works = [running.work for running in self._running.values() if running.work]
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)
        await self._ring.aclose()

    def _battle(self, asked: Asked) -> Battle:
        strange = [name for name in asked.systems if name not in self.offered()]
        if strange:
            raise UsageError(f"no system {strange[0]!r} is offered; {queries.alternatives(strange[0], self.offered())}")
        systems = find_systems(asked.systems, store=self.store, settings=self.settings)
        corpus = chosen_corpus(self.store, asked.corpus)
        return make_battle(asked.question, systems, corpus=corpus, blind=asked.blind)

    async def _fight(self, running: Running) -> None:
        def hear(letter: str, told: Told) -> None:
            running.tell("told", {"letter": letter, **told.as_dict()})

        try:
            await fight(running.battle, self._ring, self.store, hear)
            with self.store.session() as session:
                open_to = choices(queries.arena_battle(session, running.battle.key))
            running.tell("end", {"choices": open_to})
        except KarlError as exc:
            running.tell("end", {"choices": [], "error": str(exc)})
        finally:
            if not running.over:
                running.tell(
                    "end", {"choices": [], "error": "given up: the server stopped or failed; its log says more"}
                )

    def _forget(self) -> None:
        over = [key for key, running in self._running.items() if running.over]
        for key in over[: max(0, len(self._running) - MOST_KEPT)]:
            del self._running[key]
