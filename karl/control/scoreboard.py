"""Who is preferred in the battles of the arena, as frozen values."""

from __future__ import annotations

from typing import Any, NamedTuple

from store.session import Store


class Scored(NamedTuple):
    """A system. rating, low, high, share: None while no vote says anything about it."""

    system: str
    rating: float | None
    low: float | None
    high: float | None
    share: float | None
    votes: int
    all_bad: int
    no_answer: int
    battles: int


class Scoreboard(NamedTuple):
    """systems: the best first, those without votes last. notes: what the ratings can't tell."""

    headline: str
    systems: tuple[Scored, ...]
    notes: tuple[str, ...]


def read_scoreboard(store: Store, corpus: str) -> Scoreboard:
    """Of the battles over one corpus. Raises: KarlError."""
    from karl.arena.board import board
    from karl.arena.tables import headline

    found = board(store, corpus=corpus)
    systems = tuple(_scored(one, found["entered"][one["system"]]) for one in found["systems"])
    return Scoreboard(headline(found), systems, tuple(found["notes"]))


def _scored(one: dict[str, Any], entered: dict[str, int]) -> Scored:
    return Scored(
        system=one["system"],
        rating=one["rating"],
        low=one["low"],
        high=one["high"],
        share=one["share"],
        votes=one["votes"],
        all_bad=entered["all_bad"],
        no_answer=entered["failed"] + entered["unfinished"],
        battles=entered["battles"],
    )
