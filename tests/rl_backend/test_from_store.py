"""From rows in a real SQLite store to a checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import Session

from rl_backend.config import TrainConfig
from rl_backend.source import MemorySource
from rl_backend.store_source import StoreSource
from rl_backend.train import train
from store.errors import UsageError
from store.queries import RolloutLinks, freeze_dataset, groups, save_rollouts
from store.session import Store
from store.types import Fate, SegmentRecord
from tests.rl_backend.toy import random_rollouts
from tests.store.records import a_rollout, a_run, some_tasks

CONFIG = TrainConfig(lr=1e-3, epochs=1, batch_rollouts=8, threads=1)


def frozen(session: Session, base: Path) -> int:
    """The toy's rollouts as a frozen dataset of three groups of four; returns its id."""
    run_id, corpus_id = a_run(session)
    tasks = some_tasks(session, run_id=run_id, corpus_id=corpus_id, fates=[Fate.KEPT] * 3)
    rows = []
    for rollout in random_rollouts(base, groups=3):
        segments = [
            SegmentRecord(s.token_ids.tolist(), s.loss_mask.tolist(), s.logprobs.tolist()) for s in rollout.segments
        ]
        links = RolloutLinks(
            run_id=run_id,
            iteration=1,
            task_id=tasks[rollout.group_id],
            attempt=rollout.rollout_id % 4,
            reward=rollout.reward,
        )
        rows.append((a_rollout(f"r/{rollout.rollout_id}", segments=segments), links))
    save_rollouts(session, rows)
    found = groups(session, run_id, iteration=1)
    dataset = freeze_dataset(session, run_id, iteration=1, name="d", policy_version=0, groups=found)
    assert dataset.id is not None
    return dataset.id


def test_a_frozen_dataset_trains_as_its_rollouts_do(base: Path, tmp_path: Path):
    store = Store.open(f"sqlite:///{tmp_path}/karl.db")
    try:
        with store.session() as session:
            dataset_id = frozen(session, base)
        found = train(StoreSource(store, dataset_id), base=base, out=tmp_path / "stored", config=CONFIG)
    finally:
        store.close()
    direct = train(MemorySource(random_rollouts(base, groups=3)), base=base, out=tmp_path / "direct", config=CONFIG)
    assert (found.groups, found.rollouts, found.steps) == (3, 12, 2)
    assert found.drift is not None and found.drift.max < 1e-3
    assert found.weights_sha256 == direct.weights_sha256


def test_an_unknown_dataset_is_said_to_be_empty(base: Path, tmp_path: Path):
    store = Store.open(f"sqlite:///{tmp_path}/karl.db")
    try:
        with pytest.raises(UsageError, match="no rollouts to train on"):
            train(StoreSource(store, 99), base=base, out=tmp_path / "out", config=CONFIG)
    finally:
        store.close()
