"""Classes of search behaviour on the rows of rollouts that lack one: rows of before they were kept, or judged anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import select, update
from sqlmodel import Session

from store.models import Rollout
from store.queries.common import table_of
from store.queries.evaluations import PAGE, steps_of
from store.queries.traces import RolloutTrace, trace_record
from store.types import RolloutRecord, RolloutStatus


class Judged(NamedTuple):
    """`record` has no segments."""

    rollout_id: int
    reward: float
    record: RolloutRecord


def unclassified(session: Session, run_id: int, *, after: int = 0, size: int = PAGE) -> list[Judged]:
    """Judged rollouts of a run without a class, in the order of ids; `after`: the last id of the page before."""
    table = table_of(Rollout)
    query = select(Rollout).where(
        table.c.run_id == run_id,
        table.c.behaviour == "",
        table.c.reward.is_not(None),
        table.c.status != RolloutStatus.FAILED,
        table.c.id > after,
    )
    rows = list(session.execute(query.order_by(table.c.id).limit(size)).scalars())
    steps = steps_of(session, [row.id or 0 for row in rows])
    traces = [RolloutTrace(row, steps.get(row.id or 0, []), []) for row in rows]
    return [Judged(one.rollout.id or 0, one.rollout.reward or 0.0, trace_record(one)) for one in traces]


def set_behaviours(session: Session, classes: Mapping[int, str]) -> None:
    """rollout id -> class; rows that are gone are left out."""
    table = table_of(Rollout)
    for rollout_id, behaviour in classes.items():
        session.connection().execute(update(table).where(table.c.id == rollout_id).values(behaviour=behaviour))
    session.expire_all()
