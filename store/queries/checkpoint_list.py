"""Checkpoints as lines of a list: the newest first, with their run and what they scored."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import and_, func, select
from sqlmodel import Session

from store.models import Checkpoint, EvalResult, Run
from store.queries.common import table_of
from store.types import Algorithm


class CheckpointLine(NamedTuple):
    """score: pass@1 on the held-out questions of its run at T = 1; None: it was not evaluated. run None: of none."""

    checkpoint_id: int
    name: str
    algorithm: Algorithm
    run: str | None
    policy_version: int
    path: str
    score: float | None
    created_at: datetime


def checkpoint_lines(session: Session, *, limit: int = 50) -> list[CheckpointLine]:
    """The newest `limit`, newest first."""
    checkpoint, run, result = table_of(Checkpoint), table_of(Run), table_of(EvalResult)
    scored = and_(
        result.c.checkpoint_id == checkpoint.c.id,
        result.c.split == "held_out",
        # Arms at other temperatures hold an "@"; the base is evaluated once a run.
        ~result.c.arm.contains("@"),
    )
    score = func.max(result.c.figures[("pass@1", "mean")].as_float())
    names = ("name", "algorithm", "policy_version", "path", "created_at")
    newest = select(checkpoint.c.id).order_by(checkpoint.c.id.desc()).limit(limit).subquery()
    query = (
        select(
            checkpoint.c.id.label("checkpoint_id"),
            *(checkpoint.c[name] for name in names),
            run.c.name.label("run"),
            score.label("score"),
        )
        .where(checkpoint.c.id.in_(select(newest.c.id)))
        .outerjoin(run, run.c.id == checkpoint.c.run_id)
        .outerjoin(result, scored)
        .group_by(checkpoint.c.id, *(checkpoint.c[name] for name in names), run.c.name)
        .order_by(checkpoint.c.id.desc())
    )
    return [CheckpointLine(**row._mapping) for row in session.connection().execute(query)]
