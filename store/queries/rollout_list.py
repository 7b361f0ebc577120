"""Rollouts as lines of a list: filtered, newest first, a page at a time, without their steps and tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session

from store.models import Rollout, Task
from store.queries.common import table_of
from store.types import FailureKind, Fate, Purpose, Role, RolloutStatus

PAGE = 100


@dataclass(frozen=True, slots=True)
class RolloutFilter:
    """Every field narrows; None and "" do not. lowest, highest: reward, both included; behaviour: a class's name."""

    run_id: int | None = None
    iteration: int | None = None
    purpose: Purpose | None = None
    role: Role | None = None
    arm: str | None = None
    task_id: int | None = None
    fate: Fate | None = None
    status: RolloutStatus | None = None
    failure_kind: FailureKind | None = None
    behaviour: str = ""
    lowest: float | None = None
    highest: float | None = None
    text: str = ""  # in the question


class RolloutLine(NamedTuple):
    """reward None: failed or not judged; fate None: of no question of the store."""

    rollout_id: int
    key: str
    run_id: int | None
    iteration: int
    role: Role
    purpose: Purpose
    arm: str
    attempt: int
    status: RolloutStatus
    failure_kind: FailureKind | None
    reward: float | None
    behaviour: str
    step_count: int
    search_count: int
    sampled_tokens: int
    seconds: float
    question: str
    answer: str
    task_id: int | None
    fate: Fate | None


def rollout_lines(
    session: Session, wanted: RolloutFilter, *, before: int | None = None, limit: int = PAGE
) -> list[RolloutLine]:
    """The newest first; `before`: the last id of the page above."""
    rollout, task = table_of(Rollout), table_of(Task)
    ids = _ids(wanted)
    if before is not None:
        ids = ids.where(rollout.c.id < before)
    chosen = [rollout.c[name] for name in RolloutLine._fields if name not in ("rollout_id", "fate")]
    # The ids alone first: the index holds all that is asked of them, and rows are wide.
    query = (
        select(rollout.c.id.label("rollout_id"), *chosen, task.c.fate)
        .outerjoin(task, task.c.id == rollout.c.task_id)
        .where(rollout.c.id.in_(ids.order_by(rollout.c.id.desc()).limit(limit)))
        .order_by(rollout.c.id.desc())
    )
    return [RolloutLine(**row._mapping) for row in session.connection().execute(query)]


def rollout_total(session: Session, wanted: RolloutFilter) -> int:
    """How many there are under the filter."""
    return session.connection().execute(select(func.count()).select_from(_ids(wanted).subquery())).scalar_one()


def _ids(wanted: RolloutFilter) -> Any:
    rollout, task = table_of(Rollout), table_of(Task)
    query = select(rollout.c.id).where(*_conditions(wanted))
    if wanted.fate is not None:
        query = query.join(task, task.c.id == rollout.c.task_id).where(task.c.fate == wanted.fate)
    return query


def _conditions(wanted: RolloutFilter) -> list[ColumnElement[bool]]:
    table = table_of(Rollout)
    same = ("run_id", "iteration", "purpose", "role", "arm", "task_id", "status", "failure_kind")
    found = [table.c[name] == value for name in same if (value := getattr(wanted, name)) is not None]
    if wanted.behaviour:
        found.append(table.c.behaviour == wanted.behaviour)
    if wanted.lowest is not None:
        found.append(table.c.reward >= wanted.lowest)
    if wanted.highest is not None:
        found.append(table.c.reward <= wanted.highest)
    if wanted.text:
        found.append(table.c.question.icontains(wanted.text, autoescape=True))
    return found
