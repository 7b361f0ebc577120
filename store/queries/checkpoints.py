"""Checkpoints and evaluation results, upserted by their natural keys."""

from __future__ import annotations

from typing import TypeVar

from sqlalchemy import select
from sqlmodel import Session

from store.errors import UsageError
from store.models import Checkpoint, EvalResult, Run
from store.queries.common import alternatives, table_of
from store.types import Algorithm

EVALUATION = "setup"  # the split under which a run of `karl eval` keeps what it was asked to measure
Row = TypeVar("Row", Checkpoint, EvalResult)


def save_checkpoint(session: Session, checkpoint: Checkpoint) -> Checkpoint:
    """Insert, or overwrite the row of the same name; returns the stored row with its id."""
    held = session.execute(
        select(Checkpoint).where(table_of(Checkpoint).c.name == checkpoint.name)
    ).scalar_one_or_none()
    return _upsert(session, checkpoint, held=held)


def save_eval_result(session: Session, result: EvalResult) -> EvalResult:
    """Insert, or overwrite the row of the same run, arm and split; returns the stored row with its id."""
    table = table_of(EvalResult)
    query = select(EvalResult).where(
        table.c.run_id == result.run_id, table.c.arm == result.arm, table.c.split == result.split
    )
    return _upsert(session, result, held=session.execute(query).scalar_one_or_none())


def _upsert(session: Session, row: Row, *, held: Row | None) -> Row:
    if held is None:
        session.add(row)
        session.flush()
        return row
    for name in table_of(type(row)).c.keys():  # noqa: SIM118
        if name != "id":
            setattr(held, name, getattr(row, name))
    session.flush()
    return held


def checkpoints(session: Session, *, run_id: int | None = None) -> list[Checkpoint]:
    """All, or one run's, oldest first."""
    table = table_of(Checkpoint)
    query = select(Checkpoint).order_by(table.c.id)
    if run_id is not None:
        query = query.where(table.c.run_id == run_id)
    return list(session.execute(query).scalars())


def checkpoint_by_name(session: Session, name: str) -> Checkpoint:
    """Raises: UsageError for an unknown name, with the closest ones, or those there are."""
    found = session.execute(select(Checkpoint).where(table_of(Checkpoint).c.name == name)).scalar_one_or_none()
    if found is None:
        raise UsageError(f"no checkpoint {name!r}; {alternatives(name, [row.name for row in checkpoints(session)])}")
    return found


def newest_checkpoint(
    session: Session,
    *,
    run_id: int | None = None,
    corpus_id: int | None = None,
    algorithm: Algorithm | None = Algorithm.OAPL,
) -> Checkpoint | None:
    """The latest policy trained by `algorithm` (None: by any), of one run or of all runs over a corpus.

    Within the newest run the highest policy version wins; None if nothing was trained yet.
    """
    table, run_table = table_of(Checkpoint), table_of(Run)
    query = select(Checkpoint)
    if run_id is not None:
        query = query.where(table.c.run_id == run_id)
    if corpus_id is not None:
        query = query.join(Run, run_table.c.id == table.c.run_id).where(run_table.c.corpus_id == corpus_id)
    if algorithm is not None:
        query = query.where(table.c.algorithm == algorithm)
    newest = query.order_by(table.c.run_id.desc(), table.c.policy_version.desc(), table.c.id.desc()).limit(1)
    return session.execute(newest).scalar_one_or_none()


def is_evaluation(session: Session, run_id: int) -> bool:
    """Is it a run of `karl eval`? Such a run keeps what it was asked to measure."""
    table = table_of(EvalResult)
    query = select(table.c.id).where(table.c.run_id == run_id, table.c.split == EVALUATION)
    return session.connection().execute(query.limit(1)).first() is not None


def eval_results(session: Session, run_id: int, *, split: str = "held_out") -> list[EvalResult]:
    """Of one kind of rows: figures of arms are `held_out`; `karl eval` keeps its documents under other names."""
    table = table_of(EvalResult)
    query = select(EvalResult).where(table.c.run_id == run_id, table.c.split == split)
    return list(session.execute(query.order_by(table.c.iteration, table.c.id)).scalars())
