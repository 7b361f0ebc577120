"""Training and evaluation curves: bulk writes that a resumed run may repeat, series read back by step."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import delete, select
from sqlmodel import Session

from store.errors import KarlError
from store.models import Metric, now
from store.queries.common import bulk_insert, slices, table_of

BROKEN_EDIT = "broken_edit"  # in the series "": facts of the run itself, which are no curve


class MetricPoint(NamedTuple):
    step: int
    name: str
    value: float


def add_metrics(
    session: Session, run_id: int, *, iteration: int, series: str, points: Iterable[tuple[int, str, float]]
) -> None:
    """Write (step, name, value) points; points of the same step and name are replaced, so a resumed run may repeat.

    Raises: KarlError for NaN, which SQLite would turn into NULL.
    """
    by_place = {(step, name): float(value) for step, name, value in points}
    for (step, name), value in by_place.items():
        if math.isnan(value):
            raise KarlError(f"metric {name} of {series} at step {step} is not a number; training has diverged")
    _forget(session, run_id, series=series, places=by_place)
    created = now()
    rows = [
        {
            "run_id": run_id,
            "iteration": iteration,
            "series": series,
            "step": step,
            "name": name,
            "value": value,
            "created_at": created,
        }
        for (step, name), value in by_place.items()
    ]
    bulk_insert(session, Metric, rows=rows)


def _forget(session: Session, run_id: int, *, series: str, places: Iterable[tuple[int, str]]) -> None:
    names: dict[int, list[str]] = {}
    for step, name in places:
        names.setdefault(step, []).append(name)
    table = table_of(Metric)
    held = select(table.c.id, table.c.step, table.c.name).where(table.c.run_id == run_id, table.c.series == series)
    if names:
        held = held.where(table.c.step.between(min(names), max(names)))
        rows = session.connection().execute(held)
        doomed = [row.id for row in rows if row.name in names.get(row.step, [])]
        for part in slices(doomed):
            session.connection().execute(delete(table).where(table.c.id.in_(part)))


def forget_metrics(session: Session, run_id: int, *, series: str, after: int) -> None:
    """Delete what a series holds behind step `after`: a training that goes on from there makes those steps again."""
    table = table_of(Metric)
    session.connection().execute(
        delete(table).where(table.c.run_id == run_id, table.c.series == series, table.c.step > after)
    )


def series(session: Session, run_id: int, *, series: str, name: str) -> list[tuple[int, float]]:
    """(step, value) in order of steps."""
    table = table_of(Metric)
    query = select(table.c.step, table.c.value).where(
        table.c.run_id == run_id, table.c.series == series, table.c.name == name
    )
    return [(row.step, row.value) for row in session.connection().execute(query.order_by(table.c.step))]


def metric_names(session: Session, run_id: int) -> dict[str, list[str]]:
    """series -> its metric names, both sorted."""
    table, found = table_of(Metric), dict[str, list[str]]()
    query = select(table.c.series, table.c.name).where(table.c.run_id == run_id, table.c.series != "").distinct()
    for row in session.connection().execute(query.order_by(table.c.series, table.c.name)):
        found.setdefault(row.series, []).append(row.name)
    return found
