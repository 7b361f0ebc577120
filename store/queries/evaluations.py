"""Evaluation rollouts out, a page at a time: records without their tokens, and what is known of their questions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sqlalchemy import func, select
from sqlmodel import Session

from store.models import Chunk, Rollout, Step, Task
from store.queries.common import slices, table_of
from store.queries.traces import RolloutTrace, trace_record
from store.types import Purpose, RolloutRecord, RolloutStatus

PAGE = 50  # rollouts with their steps: of 200 steps of 2,000 tokens each, under 100 MB


class Evaluated(NamedTuple):
    """One evaluation rollout. `record` has no segments; reward None: failed, or nobody judged it."""

    task_id: int
    reward: float | None
    record: RolloutRecord


def evaluation_arms(session: Session, run_id: int) -> list[str]:
    """In the order in which they were evaluated."""
    table = table_of(Rollout)
    query = (
        select(table.c.arm)
        .where(table.c.run_id == run_id, table.c.purpose == Purpose.EVALUATE)
        .group_by(table.c.arm)
        .order_by(func.min(table.c.id))
    )
    return list(session.connection().execute(query).scalars())


def evaluated_pages(session: Session, run_id: int, *, arm: str, size: int = PAGE) -> Iterator[list[Evaluated]]:
    """All rollouts of one arm in the order of ids, `size` at a time."""
    table, after = table_of(Rollout), 0
    wanted = (table.c.run_id == run_id, table.c.arm == arm, table.c.purpose == Purpose.EVALUATE)
    while True:
        query = select(Rollout).where(*wanted, table.c.id > after).order_by(table.c.id).limit(size)
        rows = list(session.execute(query).scalars())
        if not rows:
            return
        steps = steps_of(session, [row.id or 0 for row in rows])
        traces = [RolloutTrace(row, steps.get(row.id or 0, []), []) for row in rows]
        yield [Evaluated(trace.rollout.task_id or 0, trace.rollout.reward, trace_record(trace)) for trace in traces]
        after = rows[-1].id or 0


class StoredAnswer(NamedTuple):
    """What judging needs of one evaluation rollout."""

    rollout_id: int
    key: str
    task_id: int
    status: RolloutStatus
    answer: str
    reward: float | None


def stored_answers(session: Session, run_id: int, *, arm: str) -> list[StoredAnswer]:
    """Of one arm, in the order of ids."""
    table = table_of(Rollout)
    query = (
        select(table.c.id, table.c.key, table.c.task_id, table.c.status, table.c.answer, table.c.reward)
        .where(table.c.run_id == run_id, table.c.arm == arm, table.c.purpose == Purpose.EVALUATE)
        .order_by(table.c.id)
    )
    return [StoredAnswer(*row) for row in session.connection().execute(query)]


def attempts_under(session: Session, key: str) -> list[RolloutRecord]:
    """The rollouts that the one of this key combined, without their tokens."""
    table = table_of(Rollout)
    # The ids alone first: keys are compared in their index, not in the wide rows.
    below = select(table.c.id).where(table.c.key.startswith(f"{key}/", autoescape=True))
    query = select(Rollout).where(table.c.id.in_(below)).order_by(table.c.id)
    # One level: what an attempt combined in its turn lies below the attempt.
    rows = [row for row in session.execute(query).scalars() if "/" not in row.key.removeprefix(f"{key}/")]
    steps = steps_of(session, [row.id or 0 for row in rows])
    return [trace_record(RolloutTrace(row, steps.get(row.id or 0, []), [])) for row in rows]


def steps_of(session: Session, rollout_ids: list[int]) -> dict[int, list[Step]]:
    """rollout id -> its steps in order."""
    table, found = table_of(Step), dict[int, list[Step]]()
    for part in slices(rollout_ids):
        query = select(Step).where(table.c.rollout_id.in_(part)).order_by(table.c.rollout_id, table.c.ordinal)
        for step in session.execute(query).scalars():
            found.setdefault(step.rollout_id, []).append(step)
    return found


def cited_by_tasks(session: Session, task_ids: Iterable[int]) -> dict[int, list[int]]:
    """task id -> chunks that its reference answer rests on; tasks that name none are left out."""
    table, found = table_of(Task), dict[int, list[int]]()
    for part in slices(sorted(set(task_ids))):
        rows = session.connection().execute(select(table.c.id, table.c.citations).where(table.c.id.in_(part)))
        found.update((row.id, row.citations) for row in rows if row.citations)
    return found


def names_of_chunks(session: Session, chunk_ids: Iterable[int]) -> dict[int, tuple[str, int | None]]:
    """chunk id -> (key, page), of those chunks that (still) exist."""
    table, found = table_of(Chunk), dict[int, tuple[str, int | None]]()
    for part in slices(sorted(set(chunk_ids))):
        rows = session.connection().execute(select(table.c.id, table.c.key, table.c.page).where(table.c.id.in_(part)))
        found.update((row.id, (row.key, row.page)) for row in rows)
    return found


def documents_of_chunks(session: Session, chunk_ids: Iterable[int]) -> dict[int, int]:
    """chunk id -> document id, of those chunks that (still) exist."""
    table, found = table_of(Chunk), dict[int, int]()
    for part in slices(sorted(set(chunk_ids))):
        rows = session.connection().execute(select(table.c.id, table.c.document_id).where(table.c.id.in_(part)))
        found.update((row.id, row.document_id) for row in rows)
    return found
