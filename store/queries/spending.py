"""What a run's rollouts came to and what they read and wrote, summed along indices that hold all that is asked."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlmodel import Session

from store.models import Rollout
from store.queries.common import table_of
from store.types import FailureKind, Purpose, Role, RolloutStatus

NEWEST = 1000  # rollouts: at 30 a second those of the last half minute


class Spending(NamedTuple):
    """Of one role and model. Attempts that a rollout combined belong to no run and are not in it."""

    role: Role
    model: str
    rollouts: int
    prompt_tokens: int
    sampled_tokens: int
    searches: int


class Outcome(NamedTuple):
    """Rollouts that ended alike. reward: the mean of those that have one, None: none has."""

    purpose: Purpose
    iteration: int
    arm: str
    status: RolloutStatus
    failure_kind: FailureKind | None
    rollouts: int
    rewarded: int
    reward: float | None


class Finished(NamedTuple):
    """A rollout as part of a rate. at: when it was written."""

    at: datetime
    prompt_tokens: int
    sampled_tokens: int
    searches: int


def spending(session: Session, run_id: int) -> list[Spending]:
    """In order of roles and models."""
    table = table_of(Rollout)
    sums = [func.sum(column) for column in (table.c.prompt_tokens, table.c.sampled_tokens, table.c.search_count)]
    query = select(table.c.role, table.c.model, func.count(), *sums).where(table.c.run_id == run_id)
    grouped = query.group_by(table.c.role, table.c.model).order_by(table.c.role, table.c.model)
    return [Spending(*row) for row in session.connection().execute(grouped)]


def outcomes(session: Session, run_id: int) -> list[Outcome]:
    """In the order of the index."""
    table = table_of(Rollout)
    kinds = [table.c[name] for name in ("purpose", "iteration", "arm", "status", "failure_kind")]
    counts = [func.count(), func.count(table.c.reward), func.avg(table.c.reward)]
    query = select(*kinds, *counts).where(table.c.run_id == run_id).group_by(*kinds)
    return [Outcome(*row) for row in session.connection().execute(query.order_by(*kinds))]


def newest_rollouts(session: Session, run_id: int, *, limit: int = NEWEST) -> list[Finished]:
    """In the order in which they were written, as far as ids tell."""
    table = table_of(Rollout)
    columns = [table.c[name] for name in ("created_at", "prompt_tokens", "sampled_tokens", "search_count")]
    query = select(*columns).where(table.c.run_id == run_id).order_by(table.c.id.desc()).limit(limit)
    return [Finished(*row) for row in session.connection().execute(query)][::-1]
