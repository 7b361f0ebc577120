"""What rollouts came to: the attempts of one arm of an evaluation, and how the rollouts of a group closed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlmodel import Session

from store.models import Rollout, Step
from store.queries.common import slices, table_of
from store.types import Purpose


class Closing(NamedTuple):
    """How one rollout ended: its answer and the text of its last turn."""

    rollout_id: int
    answer: str
    text: str


def attempts_of_arm(session: Session, run_id: int, *, arm: str) -> dict[int, list[Any]]:
    """task id -> rows with reward, status, search_count, sampled_tokens, in the order of their attempts."""
    table = table_of(Rollout)
    query = (
        select(table.c.task_id, table.c.reward, table.c.status, table.c.search_count, table.c.sampled_tokens)
        .where(table.c.run_id == run_id, table.c.arm == arm, table.c.purpose == Purpose.EVALUATE)
        .order_by(table.c.task_id, table.c.attempt)
    )
    found: dict[int, list[Any]] = defaultdict(list)
    for row in session.connection().execute(query):
        found[row.task_id].append(row)
    return dict(found)


def closing_turns(session: Session, rollout_ids: Iterable[int]) -> list[Closing]:
    """One `Closing` for each rollout, in the order of ids; "" as the text of one that took no step."""
    rollouts, steps = table_of(Rollout), table_of(Step)
    closings: list[Closing] = []
    for part in slices(sorted(set(rollout_ids))):
        last = (
            select(steps.c.rollout_id, func.max(steps.c.ordinal).label("ordinal"))
            .where(steps.c.rollout_id.in_(part))
            .group_by(steps.c.rollout_id)
            .subquery()
        )
        query = (
            select(rollouts.c.id, rollouts.c.answer, steps.c.text)
            .outerjoin(last, last.c.rollout_id == rollouts.c.id)
            .outerjoin(steps, (steps.c.rollout_id == rollouts.c.id) & (steps.c.ordinal == last.c.ordinal))
            .where(rollouts.c.id.in_(part))
            .order_by(rollouts.c.id)
        )
        closings += [Closing(id_, answer, text or "") for id_, answer, text in session.connection().execute(query)]
    return closings
