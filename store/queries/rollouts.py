"""Rollouts in: idempotent bulk writes by key, and which keys are there. `store.queries.traces` reads them back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import delete, select, update
from sqlmodel import Session

from store import binary
from store.errors import KarlError
from store.models import Rollout, Segment, Step, now
from store.queries.common import bulk_insert, ids_by_key, slices, storable, table_of
from store.types import RolloutRecord, RolloutStatus, SegmentRecord, StepRecord


@dataclass(frozen=True, slots=True)
class RolloutLinks:
    """Where a rollout belongs: the row's columns that its record does not know."""

    run_id: int | None = None
    iteration: int = 0
    task_id: int | None = None
    arm: str = ""
    attempt: int = 0
    reward: float | None = None
    behaviour: str = ""


def save_rollouts(session: Session, rollouts: Sequence[tuple[RolloutRecord, RolloutLinks]]) -> list[int]:
    """Write finished rollouts with steps and segments; returns their ids in the order given.

    Idempotent on the record's key: a key that is already there is left alone, unless that row FAILED; then the new
    record takes its place under the same id. Raises: KarlError for a reward that is not finite.
    """
    wanted = _first_by_key(rollouts)
    existing = _statuses(session, list(wanted))
    new = [item for key, item in wanted.items() if key not in existing]
    again = [item for key, item in wanted.items() if existing.get(key) is RolloutStatus.FAILED]
    bulk_insert(session, Rollout, rows=[_columns(record, links) for record, links in new])
    ids = ids_by_key(session, Rollout, keys=wanted)
    _replace(session, again, ids=ids)
    _insert_parts(session, [record for record, _ in new + again], ids=ids)
    return [ids[record.key] for record, _ in rollouts]


def _first_by_key(
    rollouts: Sequence[tuple[RolloutRecord, RolloutLinks]],
) -> dict[str, tuple[RolloutRecord, RolloutLinks]]:
    """One record a key: the first, unless it failed and a later one did not."""
    wanted: dict[str, tuple[RolloutRecord, RolloutLinks]] = {}
    for record, links in rollouts:
        held = wanted.get(record.key)
        if held is None or held[0].status is RolloutStatus.FAILED:
            wanted[record.key] = (record, links)
    return wanted


def _statuses(session: Session, keys: list[str]) -> dict[str, RolloutStatus]:
    table, found = table_of(Rollout), dict[str, RolloutStatus]()
    for part in slices(keys):
        rows = session.connection().execute(select(table.c.key, table.c.status).where(table.c.key.in_(part)))
        found.update((row.key, row.status) for row in rows)
    return found


def _columns(record: RolloutRecord, links: RolloutLinks) -> dict[str, Any]:
    if links.reward is not None and not math.isfinite(links.reward):
        raise KarlError(f"rollout {record.key}: the reward is {links.reward}; the judge must give a finite number")
    failure, provenance = record.failure, record.provenance
    columns = {
        "key": record.key,
        "run_id": links.run_id,
        "iteration": links.iteration,
        "task_id": links.task_id,
        "arm": links.arm,
        "attempt": links.attempt,
        "role": record.role,
        "purpose": record.purpose,
        "status": record.status,
        "question": record.question,
        "answer": record.answer,
        "explanation": record.explanation,
        "confidence": record.confidence,
        "citations": record.citations,
        "reward": links.reward,
        "failure_kind": failure.kind if failure else None,
        "failure_reason": failure.reason if failure else "",
        "failure_traceback": failure.traceback if failure else "",
        "graph": provenance.graph,
        "graph_sha256": provenance.graph_sha256,
        "prompt_sha256": provenance.prompt_sha256,
        "model": provenance.model,
        "policy_version": provenance.policy_version,
        "temperature": record.temperature,
        "seed": record.seed,
        "step_count": len(record.steps),
        "search_count": record.searches,
        "sampled_tokens": record.sampled_tokens,
        "prompt_tokens": sum(step.prompt_tokens for step in record.steps),
        "seconds": record.seconds,
        "queued": record.queued,
        "began": record.began,
        "trainable": record.trainable,
        "behaviour": links.behaviour,
        "created_at": now(),
    }
    return storable(columns)


def _replace(session: Session, items: Sequence[tuple[RolloutRecord, RolloutLinks]], *, ids: dict[str, int]) -> None:
    """Overwrite failed rows in place and clear their parts."""
    table, connection = table_of(Rollout), session.connection()
    for record, links in items:
        connection.execute(update(table).where(table.c.id == ids[record.key]).values(_columns(record, links)))
    for part in slices([ids[record.key] for record, _ in items]):
        for model in (Step, Segment):
            connection.execute(delete(table_of(model)).where(table_of(model).c.rollout_id.in_(part)))
    if items:
        session.expire_all()  # rows that the caller holds would still show the failure


def _insert_parts(session: Session, records: Sequence[RolloutRecord], *, ids: dict[str, int]) -> None:
    steps = [
        _step_columns(step, rollout_id=ids[record.key], ordinal=n)
        for record in records
        for n, step in enumerate(record.steps)
    ]
    segments = [
        _segment_columns(segment, rollout_id=ids[record.key], ordinal=n)
        for record in records
        for n, segment in enumerate(record.segments)
    ]
    bulk_insert(session, Step, rows=steps)
    bulk_insert(session, Segment, rows=segments)


def _step_columns(step: StepRecord, *, rollout_id: int, ordinal: int) -> dict[str, Any]:
    columns = {
        "rollout_id": rollout_id,
        "ordinal": ordinal,
        "kind": step.kind,
        "text": step.text,
        "query": step.query,
        "hits": step.hits,
        "prompt_tokens": step.prompt_tokens,
        "sampled_tokens": step.sampled_tokens,
        "policy_seconds": step.policy_seconds,
        "tool_seconds": step.tool_seconds,
        "calls": [asdict(call) for call in step.calls],
        "alternatives": [asdict(alternative) for alternative in step.alternatives],
        "value": step.value,
    }
    return storable(columns)


def _segment_columns(segment: SegmentRecord, *, rollout_id: int, ordinal: int) -> dict[str, Any]:
    return {
        "rollout_id": rollout_id,
        "ordinal": ordinal,
        "compression": segment.compression,
        "token_count": len(segment.token_ids),
        "trained_token_count": sum(segment.loss_mask),
        "token_ids": binary.pack_ids(segment.token_ids),
        "loss_mask": binary.pack_mask(segment.loss_mask),
        "logprobs": binary.pack_floats(segment.logprobs),
        "engine_crc": segment.engine_crc,
    }


def rollout_keys(session: Session, run_id: int | None, *, prefix: str = "", failed: bool = True) -> set[str]:
    """Keys of a run's rollouts that start with `prefix`: what a resumed run need not do again.

    failed=False leaves out rollouts that the environment failed, so that they are tried again.
    """
    table = table_of(Rollout)
    query = select(table.c.key).where(table.c.run_id == run_id)
    if prefix:
        query = query.where(table.c.key.startswith(prefix, autoescape=True))
    if not failed:
        query = query.where(table.c.status != RolloutStatus.FAILED)
    return set(session.connection().execute(query).scalars())


def rollout_id_by_key(session: Session, key: str) -> int | None:
    return ids_by_key(session, Rollout, keys=[key]).get(key)
