"""A vote on a battle: a winner, a tie, or all bad."""

from __future__ import annotations

from store import queries
from store.errors import UsageError
from store.models import ArenaVote
from store.queries import ArenaColumn, ArenaRecord
from store.session import Store
from store.types import VoteKind

LONGEST_NOTE = 4_000  # characters
CHOICES = {"tie": VoteKind.TIE, "none": VoteKind.NONE}


def cast_vote(store: Store, key: str, choice: str, *, note: str = "") -> ArenaRecord:
    """`choice`: a letter, tie or none. Raises: UsageError for what can't be voted, and for a second vote."""
    with store.session() as session:
        record = queries.arena_battle(session, key)
        vote = _vote(record, choice.strip().lower(), note.strip())
        queries.save_arena_vote(session, vote)
        return queries.arena_battle(session, key)


def choices(record: ArenaRecord) -> list[str]:
    """What can be voted; nothing where nobody answered, or somebody voted."""
    letters = [column.answer.letter for column in record.columns if column.answered]
    if record.vote is not None or not letters:
        return []
    return [*letters, *(["tie"] if len(letters) > 1 else []), "none"]


def _vote(record: ArenaRecord, choice: str, note: str) -> ArenaVote:
    key, open_to = record.battle.key, choices(record)
    if record.vote is not None:
        raise UsageError(f"battle {key} has its vote: {vote_text(record)}. After it the names are known: ask again")
    if not open_to:
        raise UsageError(f"battle {key} can't be voted on: no system answered")
    if len(note) > LONGEST_NOTE:
        raise UsageError(f"a note has at most {LONGEST_NOTE} characters, got {len(note)}")
    column = next((one for one in record.columns if one.answer.letter.lower() == choice), None)
    if column is not None and not column.answered:
        raise UsageError(f"{column.answer.letter} gave no answer ({failure_of(column)}); vote {_listed(open_to)}")
    if choice not in {name.lower() for name in open_to}:
        raise UsageError(f"no vote {choice!r} on battle {key}; vote {_listed(open_to)}")
    assert record.battle.id is not None
    kind = CHOICES.get(choice, VoteKind.WINNER)
    return ArenaVote(battle_id=record.battle.id, kind=kind, answer_id=column.answer.id if column else None, note=note)


def vote_text(record: ArenaRecord) -> str:
    if record.vote is None:
        return ""
    return record.winner.answer.letter if record.winner else str(record.vote.kind)


def failure_of(column: ArenaColumn) -> str:
    """Why there is no answer; "" where there is one."""
    return column.rollout.failure_reason if column.rollout else column.answer.failure


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"
