"""Questions: candidates in, fates set by the filters, judgements, and the funnel that people watch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import func, select, update
from sqlmodel import Session

from store.errors import KarlError
from store.models import Judgement, Task, now
from store.queries.common import bulk_insert, changed, ids_by_key, table_of
from store.types import CandidateRecord, Fate

# How far each fate got. INCOMPLETE is not rolled out: its group never came back whole.
STAGES = ("proposed", "well_formed", "deduplicated", "rolled_out", "mixed", "kept")
REACHED = {
    Fate.MALFORMED: 1,
    Fate.PROPOSED: 2,
    Fate.DUPLICATE: 2,
    Fate.DEDUPLICATED: 3,
    Fate.INCOMPLETE: 3,
    Fate.ALL_CORRECT: 4,
    Fate.ALL_WRONG: 4,
    Fate.MIXED: 5,
    Fate.INVALID: 5,
    Fate.KEPT: 6,
}
DROPPED = (Fate.MALFORMED, Fate.DUPLICATE, Fate.INCOMPLETE, Fate.ALL_CORRECT, Fate.ALL_WRONG, Fate.INVALID)


class Funnel(NamedTuple):
    """counts: stage -> questions that got at least that far, in order; dropped: fate -> questions;
    reasons: fate -> reason -> questions, most frequent first."""

    counts: dict[str, int]
    dropped: dict[str, int]
    reasons: dict[str, dict[str, int]]


def save_candidates(
    session: Session,
    candidates: Sequence[CandidateRecord],
    *,
    rollout_id: int,
    key: str,
    run_id: int,
    iteration: int,
    corpus_id: int,
    kind: str = "",
) -> list[int]:
    """One task a candidate under the keys `<key>#0`, `<key>#1` ...; malformed ones too. Returns the task ids.

    Idempotent: candidates already stored keep their row and their fate.
    """
    tasks = [
        Task(
            key=f"{key}#{n}",
            run_id=run_id,
            iteration=iteration,
            corpus_id=corpus_id,
            kind=kind,
            question=candidate.question,
            answer=candidate.answer,
            nuggets=candidate.nuggets,
            citations=candidate.citations,
            fate=Fate.MALFORMED if candidate.problem else Fate.PROPOSED,
            reason=candidate.problem or "",
            text=candidate.text,
            generator_rollout_id=rollout_id,
        )
        for n, candidate in enumerate(candidates)
    ]
    return save_tasks(session, tasks)


def save_tasks(session: Session, tasks: Sequence[Task]) -> list[int]:
    """Bulk insert by key; returns ids in the order given. Tasks already stored keep their row."""
    held = ids_by_key(session, Task, keys=[task.key for task in tasks])
    new = {task.key: _columns(task) for task in tasks if task.key not in held}
    bulk_insert(session, Task, rows=list(new.values()))
    ids = held | ids_by_key(session, Task, keys=new)
    return [ids[task.key] for task in tasks]


def _columns(row: Task | Judgement) -> dict[str, Any]:
    # By attribute, not model_dump: that would turn enums into strings for some pydantic settings.
    return {name: getattr(row, name) for name in table_of(type(row)).c.keys() if name != "id"}  # noqa: SIM118


def task_keys(session: Session, run_id: int, *, prefix: str = "") -> set[str]:
    table = table_of(Task)
    query = select(table.c.key).where(table.c.run_id == run_id, table.c.key.startswith(prefix, autoescape=True))
    return set(session.connection().execute(query).scalars())


def tasks_by_fate(
    session: Session, run_id: int, *, fates: Iterable[Fate] | Fate, iteration: int | None = None
) -> list[Task]:
    """The run's questions with one of these fates, in order of creation."""
    wanted = [fates] if isinstance(fates, Fate) else list(fates)
    table = table_of(Task)
    query = select(Task).where(table.c.run_id == run_id, table.c.fate.in_(wanted))
    if iteration is not None:
        query = query.where(table.c.iteration == iteration)
    return list(session.execute(query.order_by(table.c.id)).scalars())


def set_fate(session: Session, task_id: int, *, fate: Fate, reason: str = "", pass_rate: float | None = None) -> None:
    """A filter's decision. A pass rate that is not given stays as it was. Raises: KarlError for an unknown task."""
    values: dict[str, Any] = {"fate": fate, "reason": reason}
    if pass_rate is not None:
        values["pass_rate"] = pass_rate
    table = table_of(Task)
    if changed(session, update(table).where(table.c.id == task_id).values(values)) != 1:
        raise KarlError(f"no task {task_id} in this store")
    held = session.identity_map.get(session.identity_key(Task, task_id))
    if held is not None:
        session.expire(held)


def save_judgements(session: Session, judgements: Sequence[Judgement]) -> list[int]:
    """Bulk insert by key; returns ids in the order given. Judgements already stored stay as they are."""
    held = ids_by_key(session, Judgement, keys=[row.key for row in judgements])
    new = {row.key: _columns(row) | {"created_at": now()} for row in judgements if row.key not in held}
    bulk_insert(session, Judgement, rows=list(new.values()))
    ids = held | ids_by_key(session, Judgement, keys=new)
    return [ids[row.key] for row in judgements]


def funnel(session: Session, run_id: int, *, iteration: int) -> Funnel:
    """proposed > well_formed > deduplicated > rolled_out > mixed > kept, from the tasks' fates. Held-out ones are no
    part of it."""
    table = table_of(Task)
    query = (
        select(table.c.fate, table.c.reason, func.count())
        .where(table.c.run_id == run_id, table.c.iteration == iteration, table.c.fate != Fate.HELD_OUT)
        .group_by(table.c.fate, table.c.reason)
    )
    rows = [(fate, reason, count) for fate, reason, count in session.connection().execute(query)]
    counts = reached((fate, count) for fate, _, count in rows)
    by_fate = {fate: [(reason, count) for f, reason, count in rows if f is fate] for fate in DROPPED}
    return Funnel(
        counts=counts,
        dropped={str(fate): sum(count for _, count in found) for fate, found in by_fate.items()},
        reasons={
            str(fate): dict(sorted(found, key=lambda r: (-r[1], r[0]))) for fate, found in by_fate.items() if found
        },
    )


def reached(fates: Iterable[tuple[Fate, int]]) -> dict[str, int]:
    """Questions by fate -> stage -> questions that got at least that far, in order."""
    listed = list(fates)
    return {
        stage: sum(count for fate, count in listed if REACHED[fate] >= level)
        for level, stage in enumerate(STAGES, start=1)
    }


def fates_by_iteration(session: Session, run_id: int) -> dict[int, dict[Fate, int]]:
    """iteration -> fate -> questions, of all iterations from one index; held-out questions are left out."""
    table, found = table_of(Task), dict[int, dict[Fate, int]]()
    query = select(table.c.iteration, table.c.fate, func.count()).where(
        table.c.run_id == run_id, table.c.fate != Fate.HELD_OUT
    )
    grouped = query.group_by(table.c.iteration, table.c.fate).order_by(table.c.iteration)
    for iteration, fate, count in session.connection().execute(grouped):
        found.setdefault(iteration, {})[fate] = count
    return found
