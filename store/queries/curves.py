"""Training curves for whoever watches: which there are, and of each a bounded number of points.

All of it goes along the index ix_metric_curve from one entry to the next: what lies between is never read.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, func, literal, select
from sqlmodel import Session

from store.models import Metric
from store.queries.common import table_of

POINTS = 240  # two a cell of a wide plot


def series_names(session: Session, run_id: int) -> list[str]:
    """The run's series, the one whose newest step was written last first."""
    table = table_of(Metric)
    # The series "" holds facts of the run itself.
    names = _distinct(session, table.c.series, [table.c.run_id == run_id], after="")
    return sorted(names, key=lambda name: _last_id(session, run_id, name), reverse=True)


def curve_names(session: Session, run_id: int, *, series: str) -> list[str]:
    """What is known of the steps of a series, sorted."""
    table = table_of(Metric)
    return _distinct(session, table.c.name, [table.c.run_id == run_id, table.c.series == series], after="")


def curve(
    session: Session, run_id: int, *, series: str, name: str, points: int = POINTS
) -> tuple[tuple[int, float], ...]:
    """(step, value) in order of steps: all of a short curve; of a long one about `points` that are evenly spread, the
    first and the last among them. The values are those of the steps, not means."""
    table = table_of(Metric)
    place = [table.c.run_id == run_id, table.c.series == series, table.c.name == name]
    first, last = (_scalar(session, find(table.c.step), place) for find in (func.min, func.max))
    if first is None:
        return ()
    stride = max(1, -(-(last - first + 1) // points))
    chosen = select(literal(first).label("value")).cte("chosen", recursive=True)
    following = select(func.min(table.c.step)).where(*place, table.c.step >= chosen.c.value + stride)
    behind = select(following.correlate(chosen).scalar_subquery()).where(chosen.c.value.is_not(None))
    steps = chosen.union_all(behind)
    # A list of steps, not a join: SQLite would read the whole curve for that.
    wanted = table.c.step.in_(select(steps.c.value).union_all(select(literal(last))))
    rows = select(table.c.step, table.c.value).where(*place, wanted).order_by(table.c.step)
    return tuple((row.step, row.value) for row in session.connection().execute(rows))


def _distinct(session: Session, column: Any, where: list[ColumnElement[bool]], *, after: str) -> list[str]:
    """Values of an indexed column behind `after`, in order: one look into the index a value."""
    found = select(func.min(column).label("value")).where(*where, column > after).cte("found", recursive=True)
    following = select(func.min(column)).where(*where, column > found.c.value).correlate(found).scalar_subquery()
    all_of_them = found.union_all(select(following).where(found.c.value.is_not(None)))
    query = select(all_of_them.c.value).where(all_of_them.c.value.is_not(None))
    return list(session.connection().execute(query).scalars())


def _last_id(session: Session, run_id: int, series: str) -> int:
    table = table_of(Metric)
    query = select(table.c.id).where(table.c.run_id == run_id, table.c.series == series)
    return session.connection().execute(query.order_by(table.c.name.desc(), table.c.step.desc()).limit(1)).scalar_one()


def _scalar(session: Session, what: Any, where: list[ColumnElement[bool]]) -> Any:
    return session.connection().execute(select(what).where(*where)).scalar()
