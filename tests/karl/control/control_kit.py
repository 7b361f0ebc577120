"""What tests of run control share; imports no model library, as what they test does not."""

from __future__ import annotations

import os
from pathlib import Path

from store.models import Checkpoint, Corpus
from store.queries import RolloutLinks, create_run, finish_stage, save_checkpoint, save_rollouts, set_run_state
from store.session import Session
from store.types import Algorithm, Purpose, Role, RunState, Stage
from tests.store.records import a_rollout

REPOSITORY = Path(__file__).parents[3]
SECONDS = 6.0  # of each stage of an earlier run


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KARL_")}
    return kept | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}


def add_corpus(session: Session, name: str = "notes") -> int:
    corpus = Corpus(name=name, source=name)
    session.add(corpus)
    session.flush()
    return corpus.id or 0


def add_earlier_run(session: Session, corpus_id: int, settings: dict[str, object], *, name: str = "notes-1") -> int:
    """One iteration: two generator rollouts, six solver rollouts, three evaluated ones and one at another temperature,
    each of 30 tokens read and 14 sampled; six seconds a stage."""
    run_id = create_run(session, name=name, corpus_id=corpus_id, settings=settings).id or 0
    wanted = [
        *[(Role.GENERATOR, Purpose.SYNTHESIZE, "")] * 2,
        *[(Role.SOLVER, Purpose.TRAIN, "")] * 6,
        *[(Role.SOLVER, Purpose.EVALUATE, "oapl-1")] * 3,
        (Role.SOLVER, Purpose.EVALUATE, "oapl-1@0.5"),
    ]
    records = [
        (a_rollout(f"{name}/{n}", role=role, purpose=purpose), RolloutLinks(run_id=run_id, iteration=1, arm=arm))
        for n, (role, purpose, arm) in enumerate(wanted)
    ]
    save_rollouts(session, records)
    for stage in Stage:
        finish_stage(session, run_id, number=1, stage=stage, seconds=SECONDS)
    set_run_state(session, run_id, state=RunState.DONE)
    return run_id


def add_checkpoint(session: Session, run_id: int, name: str, *, path: str = "somewhere", version: int = 1) -> int:
    row = Checkpoint(run_id=run_id, name=name, algorithm=Algorithm.OAPL, path=path, policy_version=version)
    return save_checkpoint(session, row).id or 0
