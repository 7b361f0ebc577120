"""Rollouts as lines of a list: filtered, newest first, a page at a time, without their steps and tokens.

A page is found in two steps: ids in an index that holds every column of the filter, then the rows of these ids alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sqlalchemy import Select, func, or_, select
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session

from store.models import Rollout, Task
from store.queries.common import table_of
from store.types import FailureKind, Fate, Purpose, Role, RolloutStatus

PAGE = 100
MOST = 100_000  # counted under a filter
LOOSE = 20_000  # rollouts of no question that a text is looked for in: their rows are read one by one


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

    @property
    def narrows(self) -> bool:
        """Within a run, or within all of them."""
        return replace(self, run_id=None) != RolloutFilter()


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
    chosen = [rollout.c[name] for name in RolloutLine._fields if name not in ("rollout_id", "fate")]
    query = (
        select(rollout.c.id.label("rollout_id"), *chosen, task.c.fate)
        .outerjoin(task, task.c.id == rollout.c.task_id)
        .where(rollout.c.id.in_(_page(wanted, before=before, limit=limit)))
        .order_by(rollout.c.id.desc())
    )
    return [RolloutLine(**row._mapping) for row in session.connection().execute(query)]


def rollout_total(session: Session, wanted: RolloutFilter, *, most: int = MOST) -> int:
    """How many there are under the filter; `most` + 1 stands for more than `most`."""
    ids = _ids(wanted).limit(most + 1).subquery()
    return session.connection().execute(select(func.count()).select_from(ids)).scalar_one()


def newest_rollout_id(session: Session, run_id: int | None) -> int | None:
    """Of a run, or of all; None: there is none. Cheap enough to be asked every second."""
    table = table_of(Rollout)
    query = select(table.c.id).order_by(table.c.id.desc()).limit(1)
    if run_id is not None:
        query = query.where(table.c.run_id == run_id)
    return session.connection().execute(query).scalar_one_or_none()


def _page(wanted: RolloutFilter, *, before: int | None, limit: int) -> Select[Any]:
    """Without a narrowing filter the newest are walked until the page is full; else the index is read and sorted,
    for a walk to the few that fit could pass every row."""
    column = table_of(Rollout).c.id
    place = _unindexed(column) if wanted.narrows else column
    query = _ids(wanted).order_by(place.desc()).limit(limit)
    return query if before is None else query.where(place < before)


def _ids(wanted: RolloutFilter) -> Select[Any]:
    return select(table_of(Rollout).c.id).where(*_conditions(wanted))


def _unindexed(column: Any) -> Any:
    """The column, so that the planner does not take an index of it alone: that would have it fetch the wide rows."""
    return func.coalesce(column, column)


def _conditions(wanted: RolloutFilter) -> list[ColumnElement[bool]]:
    table = table_of(Rollout)
    found = _run(wanted, table.c.run_id)
    for name in ("purpose", "iteration", "arm", "status", "failure_kind", "task_id"):
        if (value := getattr(wanted, name)) is not None:
            # Within a run the first three come next in the index.
            column = table.c[name] if wanted.run_id is not None else _unindexed(table.c[name])
            found.append(column == value)
    if wanted.behaviour:
        found.append(table.c.behaviour == wanted.behaviour)
    if wanted.lowest is not None:
        found.append(table.c.reward >= wanted.lowest)
    if wanted.highest is not None:
        found.append(table.c.reward <= wanted.highest)
    return [*found, *_elsewhere(wanted)]


def _elsewhere(wanted: RolloutFilter) -> list[ColumnElement[bool]]:
    """What the index does not hold: of the role another index does, of fate and question the far fewer tasks do."""
    rollout, task, found = table_of(Rollout), table_of(Task), list[ColumnElement[bool]]()
    if wanted.role is not None:
        found.append(_plays(wanted))
    if wanted.fate is not None:
        found.append(_unindexed(rollout.c.task_id).in_(select(task.c.id).where(task.c.fate == wanted.fate)))
    if wanted.text:
        asked = select(task.c.id).where(task.c.question.icontains(wanted.text, autoescape=True))
        found.append(or_(_unindexed(rollout.c.task_id).in_(asked), rollout.c.id.in_(_loose(wanted))))
    return found


def _plays(wanted: RolloutFilter) -> ColumnElement[bool]:
    """By the list of the others for solvers, which nearly all are."""
    table = table_of(Rollout)
    solver = wanted.role is Role.SOLVER
    role = table.c.role != Role.SOLVER if solver else table.c.role == wanted.role
    listed = select(table.c.id).where(role, *_run(wanted, table.c.run_id))
    return _unindexed(table.c.id).not_in(listed) if solver else _unindexed(table.c.id).in_(listed)


def _loose(wanted: RolloutFilter) -> Select[Any]:
    """The newest rollouts of no question of the store that were asked for the text."""
    table = table_of(Rollout)
    newest = select(table.c.id).where(table.c.task_id.is_(None), *_run(wanted, _unindexed(table.c.run_id)))
    ids = newest.order_by(table.c.id.desc()).limit(LOOSE)
    return select(table.c.id).where(table.c.id.in_(ids), table.c.question.icontains(wanted.text, autoescape=True))


def _run(wanted: RolloutFilter, column: Any) -> list[ColumnElement[bool]]:
    return [] if wanted.run_id is None else [column == wanted.run_id]
