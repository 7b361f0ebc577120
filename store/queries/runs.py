"""Runs and their iterations: who is running, how far, in how many seconds."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from store.errors import KarlError, UsageError
from store.models import Iteration, Run, now
from store.queries.common import table_of
from store.types import RunState, Stage


def create_run(session: Session, *, name: str, corpus_id: int, settings: dict[str, Any]) -> Run:
    """Raises: UsageError if the name is taken."""
    if session.execute(select(Run).where(table_of(Run).c.name == name)).first() is not None:
        raise UsageError(f"there is a run {name!r} already; give another name, or resume that one")
    run = Run(name=name, corpus_id=corpus_id, settings=settings)
    session.add(run)
    session.flush()
    return run


def runs(session: Session, *, corpus_id: int | None = None) -> list[Run]:
    """Newest first."""
    table = table_of(Run)
    query = select(Run).order_by(table.c.id.desc())
    if corpus_id is not None:
        query = query.where(table.c.corpus_id == corpus_id)
    return list(session.execute(query).scalars())


def run_by_name(session: Session, name: str) -> Run:
    """Raises: UsageError for an unknown name, with those there are."""
    found = session.execute(select(Run).where(table_of(Run).c.name == name)).scalar_one_or_none()
    if found is None:
        known = ", ".join(run.name for run in runs(session)) or "none yet"
        raise UsageError(f"no run {name!r}; there are: {known}")
    return found


def set_run_state(session: Session, run_id: int, *, state: RunState, error: str | None = None) -> None:
    """Raises: KarlError for an unknown run."""
    run = session.get(Run, run_id)
    if run is None:
        raise KarlError(f"no run {run_id} in this store")
    run.state, run.error, run.updated_at = state, error, now()
    session.flush()


def iteration_row(session: Session, run_id: int, *, number: int) -> Iteration:
    """The iteration's row, created when it is not there yet."""
    table = table_of(Iteration)
    query = select(Iteration).where(table.c.run_id == run_id, table.c.number == number)
    found = session.execute(query).scalar_one_or_none()
    if found is None:
        found = Iteration(run_id=run_id, number=number)
        session.add(found)
        session.flush()
    return found


def iterations(session: Session, run_id: int) -> list[Iteration]:
    table = table_of(Iteration)
    return list(session.execute(select(Iteration).where(table.c.run_id == run_id).order_by(table.c.number)).scalars())


def finish_stage(session: Session, run_id: int, *, number: int, stage: Stage, seconds: float) -> Iteration:
    """Add `seconds` to the stage and move the iteration to the next one; after the last it is done."""
    row = iteration_row(session, run_id, number=number)
    # A new dict: a change inside the old one would not be seen by the session.
    row.seconds = {**row.seconds, str(stage): row.seconds.get(str(stage), 0.0) + seconds}
    order = list(Stage)
    position = order.index(stage)
    row.done = position + 1 == len(order)
    row.stage = stage if row.done else order[position + 1]
    session.flush()
    return row
