"""What a run leaves while it goes on: progress, rollouts of several kinds, and the lock of a process that owns it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import update

from karl.run_lock import run_lock
from store.models import Rollout, StageProgress, now
from store.queries import RolloutLinks, begin_progress, save_rollouts, set_progress
from store.queries.common import table_of
from store.session import Session, Store
from store.types import Purpose, Role, RolloutStatus
from tests.store.records import PROVENANCE, a_rollout

SOLVING = "iteration 2: solving"


def add_progress(
    session: Session, run_id: int, *, title: str = SOLVING, done: int, total: int = 100, over: bool = False
) -> None:
    """A stage with 8 rollouts under way, unless it is over."""
    begin_progress(session, run_id, title=title, total=total, done=0)
    values = {"done": done, "first": 0, "total": total, "under_way": 0 if over else 8, "note": "", "over": over}
    set_progress(session, run_id, title=title, **values)


def date(session: Session, run_id: int, *, seconds: float) -> None:
    """All that the run has written was written now, in stages that began `seconds` before."""
    session.flush()
    moment, progress, rollout = now(), table_of(StageProgress), table_of(Rollout)
    began = {"began_at": moment - timedelta(seconds=seconds), "updated_at": moment}
    connection = session.connection()
    connection.execute(update(progress).where(progress.c.run_id == run_id).values(began))
    connection.execute(update(rollout).where(rollout.c.run_id == run_id).values(created_at=moment))
    session.expire_all()


def add_rollouts(session: Session, run_id: int, *, count: int) -> None:
    """Solver rollouts of model `tiny`: 30 tokens read, 14 sampled, 3 searches each."""
    records = [a_rollout(f"{run_id}/made/{number}") for number in range(count)]
    save_rollouts(session, [(record, RolloutLinks(run_id=run_id, iteration=2)) for record in records])


def add_kinds(session: Session, run_id: int) -> None:
    """A generator of a model with a price, one that ran out of its budget, and an evaluation under way."""
    priced = replace(PROVENANCE, model="glm")
    place = RolloutLinks(run_id=run_id, iteration=2)
    save_rollouts(
        session,
        [
            (a_rollout(f"{run_id}/generator", role=Role.GENERATOR, provenance=priced), place),
            (a_rollout(f"{run_id}/unfinished", status=RolloutStatus.UNFINISHED), replace(place, reward=0.0)),
            *(
                (
                    a_rollout(f"{run_id}/oapl-2/{number}", purpose=Purpose.EVALUATE),
                    replace(place, arm="oapl-2", reward=float(number)),
                )
                for number in range(2)
            ),
        ],
    )


@contextmanager
def owned(store: Store, name: str) -> Iterator[None]:
    """This process owns the run, as it would if it went on here."""
    with run_lock(Path(str(store.url.database)).parent, name=name):
        yield
