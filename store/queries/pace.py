"""How fast an earlier run went and what its rollouts read and wrote: what estimates of a new one rest on."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import func, select
from sqlmodel import Session

from store.models import Iteration, Rollout, Run
from store.queries.common import table_of
from store.types import Purpose, Role, Stage

# stage -> the rollouts that it makes, or whose number its work goes by
COUNTED = {
    Stage.SYNTHESIZE: Purpose.SYNTHESIZE,
    Stage.DEDUPLICATE: Purpose.SYNTHESIZE,
    Stage.SOLVE: Purpose.TRAIN,
    Stage.FILTER: Purpose.TRAIN,
    Stage.TRAIN: Purpose.TRAIN,
    Stage.EVALUATE: Purpose.EVALUATE,
}


class Spent(NamedTuple):
    """Tokens of a mean rollout. prompt None: its run is of before they were counted."""

    prompt: float | None
    sampled: float


class Pace(NamedTuple):
    """Of one run. spent: by role; seconds: stage -> seconds a rollout of COUNTED."""

    run: str
    spent: dict[Role, Spent]
    seconds: dict[Stage, float]


class PacedRun(NamedTuple):
    """model: the name of the policy that made its rollouts."""

    run_id: int
    name: str
    recipe: str | None
    model: str


def paced_runs(session: Session, *, limit: int = 20) -> list[PacedRun]:
    """The newest runs that have finished an iteration, newest first."""
    run, iteration, rollout = table_of(Run), table_of(Iteration), table_of(Rollout)
    finished = select(iteration.c.run_id).where(iteration.c.done)
    model = select(rollout.c.model).where(rollout.c.run_id == run.c.id).limit(1).scalar_subquery()
    recipe = run.c.settings["recipe"].as_string().label("recipe")
    query = select(run.c.id, run.c.name, recipe, model.label("model")).where(run.c.id.in_(finished))
    rows = session.connection().execute(query.order_by(run.c.id.desc()).limit(limit))
    return [PacedRun(row.id, row.name, row.recipe, row.model or "") for row in rows]


def pace(session: Session, run: PacedRun) -> Pace:
    """A stage that made no rollouts has no pace."""
    return Pace(run.name, _spent(session, run.run_id), _seconds(session, run.run_id))


def _spent(session: Session, run_id: int) -> dict[Role, Spent]:
    table = table_of(Rollout)
    sums = {
        "made": func.count(),
        "read": func.sum(table.c.prompt_tokens),
        "wrote": func.sum(table.c.sampled_tokens),
    }
    query = select(table.c.role, *(value.label(name) for name, value in sums.items()))
    rows = session.connection().execute(query.where(table.c.run_id == run_id).group_by(table.c.role))
    return {row.role: Spent(row.read / row.made if row.read else None, row.wrote / row.made) for row in rows}


def _seconds(session: Session, run_id: int) -> dict[Stage, float]:
    iteration = table_of(Iteration)
    query = select(iteration.c.number, iteration.c.seconds).where(iteration.c.run_id == run_id, iteration.c.done)
    rows = session.connection().execute(query).all()
    made = _made(session, run_id, [number for number, _ in rows])
    took = {stage: sum(seconds.get(str(stage), 0.0) for _, seconds in rows) for stage in Stage}
    return {stage: took[stage] / made[purpose] for stage, purpose in COUNTED.items() if made.get(purpose)}


def _made(session: Session, run_id: int, numbers: list[int]) -> dict[Purpose, int]:
    """Rollouts by purpose. Those at other temperatures are made behind the last stage, in seconds that none counts."""
    table = table_of(Rollout)
    query = select(table.c.purpose, func.count().label("made")).where(
        table.c.run_id == run_id, table.c.iteration.in_(numbers), ~table.c.arm.contains("@")
    )
    rows = session.connection().execute(query.group_by(table.c.purpose))
    return {row.purpose: row.made for row in rows}
