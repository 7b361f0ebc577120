"""Groups of rollouts per question, their rewards, and what failed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import func, select, update
from sqlmodel import Session

from store.errors import KarlError
from store.models import Rollout
from store.queries.common import changed, table_of
from store.types import Purpose, RolloutStatus


class GroupMember(NamedTuple):
    """One rollout of a question. `reward` is None when it failed or is not judged yet."""

    rollout_id: int
    reward: float | None
    status: RolloutStatus


def groups(
    session: Session, run_id: int, *, iteration: int, purpose: Purpose = Purpose.TRAIN, arm: str | None = None
) -> dict[int, list[GroupMember]]:
    """task id -> its rollouts in the order of their attempts; failed ones included, for the caller to count."""
    table = table_of(Rollout)
    query = select(table.c.task_id, table.c.id, table.c.reward, table.c.status).where(
        table.c.run_id == run_id,
        table.c.iteration == iteration,
        table.c.purpose == purpose,
        table.c.task_id.is_not(None),
    )
    if arm is not None:
        query = query.where(table.c.arm == arm)
    found: dict[int, list[GroupMember]] = {}
    for row in session.connection().execute(query.order_by(table.c.task_id, table.c.attempt, table.c.id)):
        found.setdefault(row.task_id, []).append(GroupMember(row.id, row.reward, row.status))
    return found


def set_rewards(session: Session, rewards: Mapping[int, float]) -> None:
    """rollout id -> reward; the class of its behaviour, which the reward decides too, is forgotten.

    Raises: KarlError for a failed or unknown rollout, or a reward that is not finite.
    """
    table = table_of(Rollout)
    for rollout_id, reward in rewards.items():
        if not math.isfinite(reward):
            raise KarlError(f"rollout {rollout_id}: the reward is {reward}; the judge must give a finite number")
        scored = update(table).where(table.c.id == rollout_id, table.c.status != RolloutStatus.FAILED)
        if changed(session, scored.values(reward=reward, behaviour="")) != 1:
            raise KarlError(f"rollout {rollout_id} has failed or is unknown: it can have no reward")
    session.expire_all()


def failure_counts(session: Session, run_id: int, *, iteration: int | None = None) -> dict[str, int]:
    """Failure kind -> number of rollouts of the run (or of one of its iterations), most frequent first."""
    table = table_of(Rollout)
    query = select(table.c.failure_kind, func.count()).where(
        table.c.run_id == run_id, table.c.status == RolloutStatus.FAILED
    )
    if iteration is not None:
        query = query.where(table.c.iteration == iteration)
    rows = session.connection().execute(query.group_by(table.c.failure_kind)).all()
    counts = {str(kind) if kind else "unknown": count for kind, count in rows}
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
