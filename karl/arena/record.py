"""A stored battle as JSON and as columns. Blind and without a vote, nothing in it tells who is who."""

from __future__ import annotations

from typing import Any

from karl.api.traces import load_trace
from karl.arena.systems import Identity
from karl.arena.telling import Column, Told, end_of
from karl.arena.voting import choices, vote_text
from karl.settings import Settings
from store.queries import ArenaColumn, ArenaRecord


def named(record: ArenaRecord) -> bool:
    """Whether the names may be told."""
    return record.vote is not None or not record.battle.blind


def record_json(record: ArenaRecord, *, settings: Settings) -> dict[str, Any]:
    return {
        "id": record.battle.key,
        "question": record.battle.question,
        "blind": record.battle.blind,
        "created_at": record.battle.created_at.isoformat(),
        "columns": [_column_json(column, settings, names=named(record)) for column in record.columns],
        "choices": choices(record),
        "vote": {"choice": vote_text(record), "note": record.vote.note} if record.vote else None,
    }


def record_columns(record: ArenaRecord, *, settings: Settings) -> list[Column]:
    """With their ends; what was told on the way is with the rollouts."""
    return [
        Column(column.answer.letter, column.system.name if named(record) else "", end=_end(column, settings))
        for column in record.columns
    ]


def _end(column: ArenaColumn, settings: Settings) -> Told:
    """The last word of a column, as it was told when it came."""
    if column.rollout is None:
        return Told("failed", column.answer.failure)
    return end_of(load_trace(column.rollout.key, settings=settings))


def _column_json(column: ArenaColumn, settings: Settings, *, names: bool) -> dict[str, Any]:
    told = {"letter": column.answer.letter, **_end(column, settings).as_dict()}
    if not names:
        return {**told, "system": None, "trace_id": None, "identity": None}
    return {
        **told,
        "system": column.system.name,
        "trace_id": column.rollout.key if column.rollout else None,
        "identity": {name: getattr(column.system, name) for name in ("key", *Identity.__dataclass_fields__)},
    }
