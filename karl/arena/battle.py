"""One question to several systems at once. What one of them fails at is its column's, and no other's."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from uuid import uuid4

from karl.api.results import Answer, Finished
from karl.arena.ring import Ring
from karl.arena.systems import System
from karl.arena.telling import Column, Told, tell
from store import queries
from store.errors import KarlError, UsageError
from store.models import ArenaAnswer, ArenaBattle
from store.session import Store

logger = logging.getLogger(__name__)
LETTERS = "ABCDEFGH"
LONGEST_QUESTION = 8_000  # characters
SEED_BITS = 31

Hear = Callable[[str, Told], None]


@dataclass(frozen=True)
class Battle:
    """A question and who is asked, in the order of the letters."""

    key: str
    corpus: str
    question: str
    systems: tuple[System, ...]
    blind: bool
    seed: int

    @property
    def columns(self) -> list[Column]:
        """Empty ones."""
        return [
            Column(letter, "" if self.blind else system.label)
            for letter, system in zip(LETTERS, self.systems, strict=False)
        ]


@dataclass(frozen=True)
class Ended:
    """How a system came out of a battle. `answer` None: it never began to answer, `failure` says why."""

    answer: Answer | None
    failure: str = ""


def make_battle(
    question: str, systems: Sequence[System], *, corpus: str, blind: bool, seed: int | None = None
) -> Battle:
    """Blind: in an order that the seed shuffles; seed None: drawn. Raises: UsageError for an unusable question."""
    asked = question.strip()
    if not asked or len(asked) > LONGEST_QUESTION:
        raise UsageError(f"a question has 1 to {LONGEST_QUESTION} characters, got {len(asked)}")
    chosen = random.SystemRandom().getrandbits(SEED_BITS) if seed is None else seed
    order = list(systems)
    if blind:
        random.Random(f"{chosen}:order").shuffle(order)
    return Battle(uuid4().hex[:8], corpus, asked, tuple(order), blind, chosen)


async def fight(battle: Battle, ring: Ring, store: Store, hear: Hear) -> list[Ended]:
    """All answers, stored with the battle; `hear` gets what each column tells. Cancelled, no battle is stored."""
    async with asyncio.TaskGroup() as group:
        asked = [
            group.create_task(_answer(system, battle, ring, _speaker(letter, hear)))
            for letter, system in zip(LETTERS, battle.systems, strict=False)
        ]
    ended = [task.result() for task in asked]
    await asyncio.to_thread(_save, battle, ended, store)
    return ended


def _speaker(letter: str, hear: Hear) -> Callable[[Told], None]:
    return lambda told: hear(letter, told)


async def _answer(system: System, battle: Battle, ring: Ring, hear: Callable[[Told], None]) -> Ended:
    try:
        graph = await ring.graph(system, battle.corpus)
        async with aclosing(graph.astream(battle.question, seed=battle.seed)) as events:
            async for event in events:
                told = tell(event, blind=battle.blind)
                if told is not None:
                    hear(told)
                if isinstance(event, Finished):
                    return Ended(event.result)
    except KarlError as exc:
        return _failed(str(exc), hear)
    # The boundary between the columns: whatever a library raises over one model must not end the others' answers.
    except Exception as exc:
        logger.exception("arena: %s failed", system.label)
        return _failed(f"{type(exc).__name__}: {exc}", hear)
    raise AssertionError("a stream ends with Finished")


def _failed(reason: str, hear: Callable[[Told], None]) -> Ended:
    hear(Told("failed", reason))
    return Ended(None, reason)


def _save(battle: Battle, ended: Sequence[Ended], store: Store) -> None:
    with store.session() as session:
        corpus = queries.corpus_by_name(session, battle.corpus)
        assert corpus.id is not None
        answers = list[ArenaAnswer]()
        for letter, system, end in zip(LETTERS, battle.systems, ended, strict=False):
            row = queries.arena_system(session, system.row)
            rollout = queries.rollout_id_by_key(session, end.answer.trace_id) if end.answer else None
            assert row.id is not None
            answers.append(
                ArenaAnswer(battle_id=0, letter=letter, system_id=row.id, rollout_id=rollout, failure=end.failure)
            )
        row = ArenaBattle(
            key=battle.key, corpus_id=corpus.id, question=battle.question, blind=battle.blind, seed=battle.seed
        )
        queries.save_arena_battle(session, row, answers)
