"""One battle from the command line: everything checked and loaded, then fought before the reader's eyes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rich.console import Console
from rich.live import Live

from karl.arena.battle import Battle, fight
from karl.arena.ring import Ring
from karl.arena.screen import live_view
from karl.arena.spec import wrong
from karl.arena.systems import System
from karl.arena.telling import Column, Told
from store import queries
from store.errors import KarlError, UsageError
from store.session import Store

REFRESHES = 8  # a second


def chosen_corpus(store: Store, name: str | None) -> str:
    """`name`, or the only corpus. Raises: UsageError."""
    with store.session() as session:
        if name is not None:
            return queries.corpus_by_name(session, name).name
        names = [corpus.name for corpus in queries.corpora(session)]
    if len(names) != 1:
        raise UsageError(f"which corpus? name one with --corpus: {', '.join(names) or 'none yet; run `karl ingest`'}")
    return names[0]


async def load_all(ring: Ring, systems: Sequence[System], corpus: str) -> None:
    """Raises: UsageError that names the system. One whose endpoint is down fails in its own column.

    By name, not by letter: what loading says would else tell who is who.
    """
    for system in sorted(systems, key=lambda one: one.label):
        try:
            await ring.graph(system, corpus)
        except UsageError as exc:
            raise wrong(system.label, exc) from exc
        except KarlError:
            continue


async def play(battle: Battle, store: Store, *, console: Console, live: bool) -> list[Column]:
    """The columns as they ended. Raises: UsageError before anything runs."""
    columns = battle.columns
    by_letter = {column.letter: column for column in columns}

    def hear(letter: str, told: Told) -> None:
        by_letter[letter].hear(told)

    ring = Ring(say=lambda text: Console(stderr=True).print(text, style="dim", markup=False, soft_wrap=True))
    try:
        await load_all(ring, battle.systems, battle.corpus)
        if not live:
            await fight(battle, ring, store, hear)
            return columns
        screen = Live(
            get_renderable=lambda: live_view(columns, battle.question, console),
            console=console,
            refresh_per_second=REFRESHES,
            transient=True,
        )
        with screen:
            await fight(battle, ring, store, hear)
    finally:
        await asyncio.shield(ring.aclose())
    return columns
