"""Runs at a glance, for lists that refresh every second: three statements whatever the number of runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, exists, func, select
from sqlmodel import Session

from store.models import Corpus, EvalResult, Iteration, Run
from store.queries.common import slices, table_of
from store.types import Algorithm, RunState

EVALUATION = "eval"
EVALUATION_SETUP = "setup"  # split under which an evaluation's run holds what was asked of whom


class RunOverview(NamedTuple):
    """One run. `planned`: None where its settings name no iterations; base, newest, best: pass@1 at T = 1 of the base,
    of the newest OAPL policy and of the best of all, None: unknown.

    `evaluation`: it holds what `karl eval` measured, and has no iterations.
    """

    run_id: int
    name: str
    state: RunState
    corpus: str
    done: int
    planned: int | None
    base: float | None
    newest: float | None
    error: str | None
    created_at: datetime
    updated_at: datetime
    evaluation: bool
    best: float | None = None

    @property
    def progress(self) -> str:
        """Iterations done, of those planned."""
        return EVALUATION if self.evaluation else f"{self.done}/{'?' if self.planned is None else self.planned}"


class _Rates(NamedTuple):
    base: float | None = None
    newest: float | None = None
    best: float | None = None


def run_overviews(session: Session, *, limit: int = 200) -> list[RunOverview]:
    """The newest `limit` runs, newest first."""
    return _overviews(session, _query().limit(limit))


def run_overview(session: Session, run_id: int | None) -> RunOverview | None:
    """Of one run; None or an id that is gone: of the newest. None: there is no run."""
    if run_id is not None and (found := _overviews(session, _query().where(table_of(Run).c.id == run_id))):
        return found[0]
    return next(iter(run_overviews(session, limit=1)), None)


def neighbour(session: Session, run_id: int, *, newer: bool) -> int | None:
    """The run made next after this one, or before it; None: it is the last, or the first."""
    table = table_of(Run)
    found = func.min(table.c.id) if newer else func.max(table.c.id)
    beyond = table.c.id > run_id if newer else table.c.id < run_id
    return session.connection().execute(select(found).where(beyond)).scalar()


def _query() -> Select[*tuple[Any, ...]]:
    run, corpus, results = table_of(Run), table_of(Corpus), table_of(EvalResult)
    return (
        select(
            run.c.id,
            run.c.name,
            run.c.state,
            corpus.c.name.label("corpus"),
            run.c.settings["iterations"].as_integer().label("planned"),
            run.c.error,
            run.c.created_at,
            run.c.updated_at,
            exists().where(results.c.run_id == run.c.id, results.c.split == EVALUATION_SETUP).label("evaluation"),
        )
        .join(corpus, corpus.c.id == run.c.corpus_id)
        .order_by(run.c.id.desc())
    )


def _overviews(session: Session, query: Select[*tuple[Any, ...]]) -> list[RunOverview]:
    rows = session.connection().execute(query).all()
    ids = [row.id for row in rows]
    done, rates = _done(session, ids), _rates(session, ids)
    return [
        RunOverview(
            run_id=row.id,
            name=row.name,
            state=row.state,
            corpus=row.corpus,
            done=done.get(row.id, 0),
            planned=row.planned,
            base=rates.get(row.id, _Rates()).base,
            newest=rates.get(row.id, _Rates()).newest,
            error=row.error,
            created_at=row.created_at,
            updated_at=row.updated_at,
            evaluation=bool(row.evaluation),
            best=rates.get(row.id, _Rates()).best,
        )
        for row in rows
    ]


def _done(session: Session, run_ids: Sequence[int]) -> dict[int, int]:
    """run id -> iterations that are done."""
    table, found = table_of(Iteration), dict[int, int]()
    for part in slices(run_ids):
        query = select(table.c.run_id, func.count()).where(table.c.run_id.in_(part), table.c.done)
        found.update((run_id, count) for run_id, count in session.connection().execute(query.group_by(table.c.run_id)))
    return found


def _rates(session: Session, run_ids: Sequence[int]) -> dict[int, _Rates]:
    """run id -> pass@1 of the base, the newest OAPL policy, the best. The arms at other temperatures hold an "@"."""
    table, found = table_of(EvalResult), dict[int, _Rates]()
    for part in slices(run_ids):
        query = (
            select(table.c.run_id, table.c.arm, table.c.figures[("pass@1", "mean")].as_float())
            .where(table.c.run_id.in_(part), ~table.c.arm.contains("@"))
            .order_by(table.c.iteration, table.c.id)
        )
        for run_id, arm, rate in session.connection().execute(query):
            found[run_id] = _with_rate(found.get(run_id, _Rates()), arm, rate)
    return found


def _with_rate(held: _Rates, arm: str, rate: float | None) -> _Rates:
    best = max((known for known in (held.best, rate) if known is not None), default=None)
    if arm == str(Algorithm.BASE):
        return _Rates(rate, held.newest, best)
    return _Rates(held.base, rate if arm.startswith(f"{Algorithm.OAPL}-") else held.newest, best)
