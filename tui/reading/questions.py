"""Where the questions of each iteration stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from store import queries
from store.session import Session
from store.types import Fate, Stage


@dataclass(frozen=True, slots=True)
class IterationView:
    """counts: stage -> questions that got at least that far, in order; fates: how many stand where now."""

    number: int
    stage: Stage
    done: bool
    seconds: float
    counts: Mapping[str, int]
    fates: Mapping[Fate, int]


def read_iterations(session: Session, run_id: int) -> list[IterationView]:
    fates = queries.fates_by_iteration(session, run_id)
    return [
        IterationView(
            number=row.number,
            stage=row.stage,
            done=row.done,
            seconds=sum(row.seconds.values()),
            counts=queries.reached(fates.get(row.number, {}).items()),
            fates=fates.get(row.number, {}),
        )
        for row in queries.iterations(session, run_id)
    ]
