"""How far stages are: written by the run as it goes on, read by whoever watches."""

from __future__ import annotations

from sqlalchemy import select
from sqlmodel import Session

from store.models import StageProgress, now
from store.queries.common import table_of


def begin_progress(session: Session, run_id: int, *, title: str, total: int, done: int) -> None:
    """A stage of this title begins, or begins again."""
    row = stage_progress(session, run_id, title=title) or StageProgress(run_id=run_id, title=title)
    row.total, row.done, row.first, row.under_way = total, done, done, 0
    row.note, row.over, row.began_at, row.updated_at = "", False, now(), now()
    session.add(row)


def set_progress(
    session: Session,
    run_id: int,
    *,
    title: str,
    done: int,
    first: int,
    total: int,
    under_way: int,
    note: str,
    over: bool,
) -> None:
    """Of a stage that has begun; another is left alone."""
    row = stage_progress(session, run_id, title=title)
    if row is not None:
        row.done, row.first, row.total = done, first, total
        row.under_way, row.note, row.over = under_way, note, over
        row.updated_at = now()


def stage_progress(session: Session, run_id: int, *, title: str) -> StageProgress | None:
    table = table_of(StageProgress)
    query = select(StageProgress).where(table.c.run_id == run_id, table.c.title == title)
    return session.execute(query).scalar_one_or_none()


def progress_of_run(session: Session, run_id: int, *, limit: int = 20) -> list[StageProgress]:
    """Stages, the one written to last first."""
    table = table_of(StageProgress)
    query = select(StageProgress).where(table.c.run_id == run_id)
    return list(session.execute(query.order_by(table.c.updated_at.desc(), table.c.id.desc()).limit(limit)).scalars())
