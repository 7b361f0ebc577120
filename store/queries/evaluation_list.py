"""Runs that were evaluated, as lines of a list; of one of them, behaviour by arm and answers that fall short.

No document of `karl eval` is read here: it may be megabytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Integer, func, or_, select
from sqlmodel import Session

from store.models import EvalResult, Rollout, Run, Task
from store.queries.common import slices, table_of
from store.types import Purpose, RolloutStatus, RunState

PAGE = 100
ARMS, SETUP, DOCUMENT = "held_out", "setup", "document"  # splits: figures of arms; what `karl eval` keeps beside them


class EvaluatedRun(NamedTuple):
    """`arms`: those with figures; `setup`: it is one of `karl eval`; `documents`: hashes of those that it made.

    questions None: its settings name no number. threshold: the reward from which on an answer is right.
    """

    run_id: int
    name: str
    state: RunState
    questions: int | None
    threshold: float | None
    arms: tuple[str, ...]
    setup: bool
    documents: tuple[str, ...]
    created_at: datetime
    updated_at: datetime


class ClassCount(NamedTuple):
    """Rollouts of one arm in one class of search behaviour; of the judged ones, how many were right."""

    arm: str
    behaviour: str
    rollouts: int
    judged: int
    solved: int


class Shortfall(NamedTuple):
    """An evaluation rollout without a right answer. `reference`: the answer of its question, where that is stored."""

    rollout_id: int
    key: str
    arm: str
    status: RolloutStatus
    reward: float | None
    reason: str
    kind: str
    question: str
    answer: str
    reference: str


def evaluated_runs(session: Session, *, limit: int = PAGE) -> list[EvaluatedRun]:
    """The newest `limit` runs that hold a result or the setup of an evaluation, newest first."""
    run, result = table_of(Run), table_of(EvalResult)
    query = (
        select(
            *(run.c[name] for name in ("id", "name", "state", "created_at", "updated_at")),
            run.c.settings["held_out"].as_integer().label("questions"),
            run.c.settings["reward_threshold"].as_float().label("threshold"),
        )
        .where(run.c.id.in_(select(result.c.run_id)))
        .order_by(run.c.id.desc())
        .limit(limit)
    )
    rows = session.connection().execute(query).all()
    held = _results(session, [row.id for row in rows])
    return [
        EvaluatedRun(
            run_id=row.id,
            name=row.name,
            state=row.state,
            questions=row.questions,
            threshold=row.threshold,
            arms=tuple(arm for split, arm in held.get(row.id, ()) if split == ARMS),
            setup=any(split == SETUP for split, _ in held.get(row.id, ())),
            documents=tuple(arm for split, arm in held.get(row.id, ()) if split == DOCUMENT),
            created_at=row.created_at,
            updated_at=row.updated_at,
        )
        for row in rows
    ]


def _results(session: Session, run_ids: Sequence[int]) -> dict[int, list[tuple[str, str]]]:
    """run id -> (split, arm) of its results, in the order of the arms' iterations."""
    table, found = table_of(EvalResult), dict[int, list[tuple[str, str]]]()
    for part in slices(run_ids):
        query = select(table.c.run_id, table.c.split, table.c.arm).where(table.c.run_id.in_(part))
        for run_id, split, arm in session.connection().execute(query.order_by(table.c.iteration, table.c.id)):
            found.setdefault(run_id, []).append((split, arm))
    return found


def behaviour_counts(session: Session, run_id: int, *, threshold: float) -> list[ClassCount]:
    """Of the evaluation rollouts whose behaviour was judged; the covering index holds all that is asked."""
    table = table_of(Rollout)
    right = func.sum((table.c.reward >= threshold).cast(Integer))
    query = (
        select(table.c.arm, table.c.behaviour, func.count(), func.count(table.c.reward), func.coalesce(right, 0))
        .where(table.c.run_id == run_id, table.c.purpose == Purpose.EVALUATE, table.c.behaviour != "")
        .group_by(table.c.arm, table.c.behaviour)
    )
    return [ClassCount(*row) for row in session.connection().execute(query)]


def shortfalls(
    session: Session, run_id: int, *, arm: str, threshold: float, before: int | None = None, limit: int = PAGE
) -> list[Shortfall]:
    """Failed, unjudged and wrong ones of an arm, the newest first; `before`: the last id of the page above."""
    rollout, task = table_of(Rollout), table_of(Task)
    ids = _short(run_id, arm, threshold)
    if before is not None:
        ids = ids.where(rollout.c.id < before)
    # The ids alone first: the index holds all that is asked of them, and rows are wide.
    query = (
        select(
            rollout.c.id.label("rollout_id"),
            rollout.c.failure_reason.label("reason"),
            *(rollout.c[name] for name in ("key", "arm", "status", "reward", "question", "answer")),
            func.coalesce(task.c.kind, "").label("kind"),
            func.coalesce(task.c.answer, "").label("reference"),
        )
        .outerjoin(task, task.c.id == rollout.c.task_id)
        .where(rollout.c.id.in_(ids.order_by(rollout.c.id.desc()).limit(limit)))
        .order_by(rollout.c.id.desc())
    )
    return [Shortfall(**row._mapping) for row in session.connection().execute(query)]


def shortfall_total(session: Session, run_id: int, *, arm: str, threshold: float) -> int:
    query = select(func.count()).select_from(_short(run_id, arm, threshold).subquery())
    return session.connection().execute(query).scalar_one()


def _short(run_id: int, arm: str, threshold: float) -> Any:
    table = table_of(Rollout)
    of_arm = (table.c.run_id == run_id, table.c.purpose == Purpose.EVALUATE, table.c.arm == arm)
    return select(table.c.id).where(*of_arm, or_(table.c.reward.is_(None), table.c.reward < threshold))
