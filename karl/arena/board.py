"""The scoreboard: who is preferred to whom, in all battles that were voted on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import log
from typing import Any

from evals.bradley_terry import PRIOR, Standing, Strength, Vote, standing, win_matrix
from store import queries
from store.models import ArenaSystem
from store.queries import ArenaColumn, ArenaRecord
from store.session import Store
from store.types import RolloutStatus, VoteKind

# The scale of chess: 400 points are odds of ten to one.
POINTS = 400 / log(10)
MIDDLE = 1000.0
SHORT = 6  # characters of a key that tell systems of one name apart


def board(store: Store, *, corpus: str | None = None) -> dict[str, Any]:
    """JSON-ready; of all corpora, or of one. Raises: UsageError for an unknown corpus."""
    with store.session() as session:
        corpus_id = queries.corpus_by_name(session, corpus).id if corpus else None
        records = queries.arena_battles(session, corpus_id=corpus_id)
    names = _names(column.system for record in records for column in record.columns)
    voted = [record for record in records if record.vote is not None]
    votes = [vote for record in voted if (vote := counted_vote(record)) is not None]
    found = standing(votes)
    kinds = Counter(record.vote.kind for record in voted if record.vote)
    return {
        "corpus": corpus,
        "battles": len(records),
        "votes": {**{str(kind): kinds[kind] for kind in VoteKind}, "total": len(voted)},
        "counted": len(votes),
        "blind_votes": sum(record.battle.blind for record in voted),
        "systems": [_system(one, names[one.system]) for one in found.strengths] + _unrated(found, names),
        "entered": _entered(records, names),
        "matrix": _matrix(votes, names),
        "groups": [
            {"systems": [names[key] for key in group.systems], "finite": group.finite} for group in found.groups
        ],
        "notes": _notes(found, names),
        "model": {"name": "Bradley-Terry", "prior": PRIOR, "intervals": "95%, Wald", "middle": MIDDLE},
    }


def counted_vote(record: ArenaRecord) -> Vote | None:
    """What a vote says of the systems; None: nothing about which is better (all bad, or one system alone was fit).

    A system whose environment failed is left out. One that ran out of its own budget gave no answer by its own fault,
    and loses to those that are preferred.
    """
    if record.vote is None or record.vote.kind is VoteKind.NONE:
        return None
    fit = [column for column in record.columns if column.status is not RolloutStatus.FAILED]
    preferred = [record.winner] if record.winner else [column for column in fit if column.answered]
    entrants, winners = _keys(fit), _keys(preferred)
    return Vote(entrants, winners) if len(entrants) > 1 and winners else None


def _keys(columns: Sequence[ArenaColumn | None]) -> frozenset[str]:
    return frozenset(column.system.key for column in columns if column is not None)


def _names(systems: Iterable[ArenaSystem]) -> dict[str, str]:
    """key -> name; systems of one name (a prompt was edited) get a piece of their key."""
    by_key = {system.key: system.name for system in systems}
    often = Counter(by_key.values())
    return {key: f"{name} #{key[:SHORT]}" if often[name] > 1 else name for key, name in by_key.items()}


def _system(one: Strength, name: str) -> dict[str, Any]:
    rating, low, high = (round(MIDDLE + POINTS * value, 1) for value in (one.strength, one.low, one.high))
    return {
        "system": name,
        "key": one.system,
        "rating": rating,
        "low": low,
        "high": high,
        "strength": round(one.strength, 4),
        "group": one.group,
        "votes": one.votes,
        "share": round(one.share, 4),
    }


def _unrated(found: Standing, names: dict[str, str]) -> list[dict[str, Any]]:
    rated = {one.system for one in found.strengths}
    blank = dict.fromkeys(("rating", "low", "high", "strength", "group"))
    return [
        {"system": names[key], "key": key, **blank, "votes": 0, "share": None}
        for key in sorted(names, key=names.__getitem__)
        if key not in rated
    ]


def _entered(records: Sequence[ArenaRecord], names: dict[str, str]) -> dict[str, dict[str, int]]:
    """name -> battles entered, without an answer, and in votes of all bad."""
    counts = {name: Counter[str]() for name in sorted(names.values())}
    for record in records:
        bad = record.vote is not None and record.vote.kind is VoteKind.NONE
        for column in record.columns:
            own = counts[names[column.system.key]]
            own.update(battles=1, failed=int(column.status is RolloutStatus.FAILED))
            own.update(unfinished=int(column.status is RolloutStatus.UNFINISHED), all_bad=int(bad and column.answered))
    kinds = ("battles", "failed", "unfinished", "all_bad")
    return {name: {kind: own[kind] for kind in kinds} for name, own in counts.items()}


def _matrix(votes: Sequence[Vote], names: dict[str, str]) -> dict[str, dict[str, Any]]:
    return {
        names[one]: {names[other]: {**pair._asdict(), "rate": pair.rate} for other, pair in row.items()}
        for one, row in win_matrix(votes).items()
    }


def _notes(found: Standing, names: dict[str, str]) -> list[str]:
    """What the ratings can't tell."""
    notes: list[str] = []
    if len(found.groups) > 1:
        parts = "; ".join(", ".join(names[key] for key in group.systems) for group in found.groups)
        notes.append(f"no votes connect these groups, so that ratings compare inside one alone: {parts}")
    for one in found.strengths:
        if one.extreme:
            always = "always preferred" if one.share == 1.0 else "never preferred"
            notes.append(f"{names[one.system]} was {always}: {_PRIOR_TEXT}")
    for number, group in enumerate(found.groups):
        if not group.finite and not any(one.extreme for one in found.strengths if one.group == number):
            listed = ", ".join(names[key] for key in group.systems)
            notes.append(f"some of {listed} never lost to the others: {_PRIOR_TEXT}")
    return notes


_PRIOR_TEXT = (
    "votes alone put no limit to the distance, which rests on the prior, "
    f"{PRIOR:g} drawn vote of each system against the middle"
)
