"""Systems over the small corpus `notes`, played by scripts in place of models."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agents.policy import Policy
from karl.api.graph import Graph
from karl.arena.battle import Battle, make_battle
from karl.arena.ring import Ring
from karl.arena.systems import System, find_systems
from karl.arena.telling import Column, Told
from karl.settings import load_settings
from store.session import Store
from tests.karl.api_kit import load

COLD, WARM, HOT = "embedded", "embedded:temperature=0.5", "embedded:temperature=1"


class ScriptedRing(Ring):
    """`played`: a system's label -> the policy that plays it, or what loading it raises."""

    def __init__(self, home: Path, played: dict[str, Policy | Exception]) -> None:
        super().__init__()
        self._home, self._played = home, played

    async def _load(self, system: System, corpus: str) -> Graph:
        found = self._played[system.label]
        if isinstance(found, Exception):
            raise found
        return load(self._home, found, corpus=corpus)


@contextmanager
def opened(home: Path) -> Iterator[Store]:
    store = Store.open(f"sqlite:///{home / 'karl.db'}")
    try:
        yield store
    finally:
        store.close()


def systems(home: Path, *labels: str) -> list[System]:
    with opened(home) as store:
        return find_systems(labels or (COLD, HOT), store=store, settings=load_settings(home=home))


def a_battle(home: Path, *labels: str, blind: bool = False, seed: int | None = 0) -> Battle:
    return make_battle("Where does Mira work?", systems(home, *labels), corpus="notes", blind=blind, seed=seed)


class Heard:
    """What columns told, in order, and the columns themselves."""

    def __init__(self, battle: Battle) -> None:
        self.told: list[tuple[str, Told]] = []
        self.columns: dict[str, Column] = {column.letter: column for column in battle.columns}

    def __call__(self, letter: str, told: Told) -> None:
        self.told.append((letter, told))
        self.columns[letter].hear(told)
