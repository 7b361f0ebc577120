"""The child: `python -m karl.control.answering` holds models and answers requests until its input closes.

Requests come in by stdin, events go out by stdout, a line of JSON each (karl.control.wire). It writes answers, battles
and votes to the store, so that an interface need not.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress
from typing import BinaryIO

from graphs.events import AnswerGiven
from graphs.events import Failed as RolloutFailed
from karl.api.opening import newest_folder
from karl.api.results import Finished
from karl.arena.battle import fight, make_battle
from karl.arena.match import load_all
from karl.arena.record import named
from karl.arena.ring import Ring
from karl.arena.spec import CHAT, parse_system
from karl.arena.systems import System, find_systems, resolve
from karl.arena.telling import Told
from karl.arena.voting import cast_vote, choices, vote_text
from karl.control.events import Answered, Compared, Entrant, Event, Failed, Loading, Ready, Spoke, answer_event
from karl.control.requests import NEWEST, Ask, Cancel, Compare, Load, Open, Request, Vote
from karl.control.wire import EVENTS, REQUESTS
from karl.settings import Settings
from store import queries
from store.errors import KarlError
from store.queries import ArenaRecord
from store.session import Store

logger = logging.getLogger(__name__)
CLOSING = 1.0  # seconds for what is under way, and to give the models' memory back
Tell = Callable[[Event], None]
Last = Ready | Answered | Failed | Compared


class Answering:
    """One thing at a time. Whatever goes wrong with it is told as `Failed`, and the next may go well."""

    def __init__(self, settings: Settings, tell: Tell, *, ring: Ring | None = None) -> None:
        self._settings, self._tell = settings, tell
        self._ring = ring or Ring(say=lambda text: tell(Loading(text)))
        self._kept: Store | None = None
        self._work: asyncio.Task[None] | None = None

    def handle(self, request: Request) -> None:
        if not isinstance(request, Cancel):
            self._work = asyncio.create_task(self._carry_out(request))
        elif self._work is not None:
            self._work.cancel()

    async def aclose(self) -> None:
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
        await self._ring.aclose()
        if self._kept is not None:
            self._kept.close()

    async def _carry_out(self, request: Request) -> None:
        try:
            last = await self._done(request)
        except asyncio.CancelledError:
            last = Failed("cancelled", cancelled=True)
        except KarlError as exc:
            last = Failed(str(exc))
        # The boundary of one request: whatever a library raises over it must not end the conversation.
        except Exception as exc:
            logger.exception("%s failed", type(request).__name__)
            last = Failed(f"{type(exc).__name__}: {exc}")
        self._tell(last)

    async def _done(self, request: Request) -> Last:
        match request:
            case Load(systems=texts, corpus=corpus):
                found = [await self._loaded(text, corpus) for text in texts]
                return Ready(tuple(system.identity.model for system in found))
            case Ask():
                return await self._answer(request)
            case Compare():
                return await self._fight(request)
            case Vote(battle=battle, choice=choice, note=note):
                return compared(await asyncio.to_thread(cast_vote, self._store, battle, choice, note=note))
        raise KarlError(f"{type(request).__name__} is nothing to be done here")

    @property
    def _store(self) -> Store:
        self._kept = self._kept or Store.open(self._settings.store_url)
        return self._kept

    async def _loaded(self, text: str, corpus: str) -> System:
        system = await asyncio.to_thread(self._system, text, corpus)
        if not self._ring.holds(system, corpus):
            self._tell(Loading(f"loading {system.identity.model}"))
        await self._ring.graph(system, corpus)
        return system

    def _system(self, text: str, corpus: str) -> System:
        spec = parse_system(text)
        if spec.checkpoint == NEWEST:
            chat = self._settings.engine == "chat"
            spec = spec.model_copy(update={"checkpoint": CHAT if chat else str(newest_folder(self._store, corpus))})
        return resolve(spec, label=spec.text, store=self._store, settings=self._settings)

    async def _answer(self, asked: Ask) -> Last:
        system = await self._loaded(asked.system, asked.corpus)
        graph = await self._ring.graph(system, asked.corpus)
        async with aclosing(graph.astream(asked.question, seed=asked.seed)) as events:
            async for event in events:
                match event:
                    case Finished(result=answer):
                        return answer_event(answer)
                    case AnswerGiven() | RolloutFailed():
                        pass
                    case _:
                        self._tell(event)
        raise AssertionError("a stream ends with Finished")

    async def _fight(self, asked: Compare) -> Compared:
        def hear(letter: str, told: Told) -> None:
            self._tell(Spoke(letter, told))

        systems = await asyncio.to_thread(find_systems, asked.systems, store=self._store, settings=self._settings)
        battle = make_battle(asked.question, systems, corpus=asked.corpus, blind=asked.blind, seed=asked.seed)
        # Not in the battle's order: which of the names takes long to load would tell who is who.
        if not all(self._ring.holds(system, asked.corpus) for system in systems):
            self._tell(Loading(f"loading {' and '.join(system.label for system in systems)}"))
        await load_all(self._ring, systems, asked.corpus)
        await fight(battle, self._ring, self._store, hear)
        return compared(await asyncio.to_thread(self._record, battle.key))

    def _record(self, key: str) -> ArenaRecord:
        with self._store.session() as session:
            return queries.arena_battle(session, key)


def compared(record: ArenaRecord) -> Compared:
    """Without the names where they may not be told yet."""
    entrants = tuple(
        Entrant(
            column.answer.letter,
            column.system.name if named(record) else "",
            column.rollout.key if named(record) and column.rollout else "",
        )
        for column in record.columns
    )
    note = record.vote.note if record.vote else ""
    return Compared(record.battle.key, entrants, tuple(choices(record)), vote_text(record), note)


class Speaker:
    """Events as lines on what was stdout, which now is stderr: what libraries print is no event."""

    def __init__(self) -> None:
        self._out: BinaryIO = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        # Who listened may be gone: then this process is about to end, too.
        with self._lock, suppress(BrokenPipeError):
            self._out.write(EVENTS.line(event))
            self._out.flush()


async def requests(loop: asyncio.AbstractEventLoop) -> AsyncIterator[Request]:
    """Those that come in by stdin, until it closes."""
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    threading.Thread(target=_read, args=(loop, heard), name="requests", daemon=True).start()
    while line := await heard.get():
        yield REQUESTS.read(line)


def _read(loop: asyncio.AbstractEventLoop, heard: asyncio.Queue[bytes]) -> None:
    for line in sys.stdin.buffer:
        loop.call_soon_threadsafe(heard.put_nowait, line)
    with suppress(RuntimeError):  # the loop has ended by itself
        loop.call_soon_threadsafe(heard.put_nowait, b"")
    # Neither a model that is being loaded nor a write to a parent that does not read may outlive it.
    time.sleep(CLOSING + 0.5)
    os._exit(1)


async def serve(tell: Tell, *, ring: Callable[[Settings], Ring] | None) -> None:
    """Until stdin closes."""
    answering: Answering | None = None
    try:
        async for request in requests(asyncio.get_running_loop()):
            if isinstance(request, Open):
                settings = request.settings
                answering = Answering(settings, tell, ring=ring(settings) if ring else None)
            elif answering is not None:
                answering.handle(request)
    finally:
        if answering is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(answering.aclose(), CLOSING)


def main(*, ring: Callable[[Settings], Ring] | None = None) -> None:
    """`ring`: what loads the models, where it is none of ours."""
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(serve(Speaker(), ring=ring))


if __name__ == "__main__":
    main()
