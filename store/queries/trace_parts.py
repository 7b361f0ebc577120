"""One rollout in parts, for whoever looks at it: row and steps without the tokens, segments one by one, verdicts."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import select
from sqlmodel import Session

from store.errors import KarlError
from store.models import Judgement, Rollout, Segment, Step
from store.queries.common import table_of
from store.queries.traces import RolloutTrace, SegmentArrays, segment_arrays


class SegmentHead(NamedTuple):
    """A segment without its tokens. tokens, trained: how many."""

    segment_id: int
    ordinal: int
    compression: bool
    tokens: int
    trained: int


def rollout_steps(session: Session, rollout_id: int) -> RolloutTrace | None:
    """The row with its steps, without segments: those of a long rollout are megabytes. None: there is no such row."""
    row = session.get(Rollout, rollout_id)
    if row is None:
        return None
    table = table_of(Step)
    query = select(Step).where(table.c.rollout_id == rollout_id).order_by(table.c.ordinal)
    return RolloutTrace(row, list(session.execute(query).scalars()), [])


def segment_heads(session: Session, rollout_id: int) -> list[SegmentHead]:
    """In order."""
    table = table_of(Segment)
    query = select(
        table.c.id, table.c.ordinal, table.c.compression, table.c.token_count, table.c.trained_token_count
    ).where(table.c.rollout_id == rollout_id)
    return [SegmentHead(*row) for row in session.connection().execute(query.order_by(table.c.ordinal))]


def segment_tokens(session: Session, segment_id: int) -> SegmentArrays:
    """Raises: KarlError for an unknown id, or for a damaged blob."""
    row = session.get(Segment, segment_id)
    if row is None:
        raise KarlError(f"no segment {segment_id} in this store")
    return segment_arrays(row)


def judgements_of(session: Session, rollout_id: int) -> list[Judgement]:
    """What judges said of a rollout, in order."""
    table = table_of(Judgement)
    query = select(Judgement).where(table.c.rollout_id == rollout_id).order_by(table.c.id)
    return list(session.execute(query).scalars())
