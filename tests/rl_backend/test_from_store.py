"""From rows in a real SQLite store to a checkpoint."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlmodel import Session

from rl_backend.batch import pack
from rl_backend.config import TrainConfig
from rl_backend.index import build_index
from rl_backend.loader import Loader
from rl_backend.rollouts import RolloutLike
from rl_backend.source import MemorySource
from rl_backend.store_source import StoreSource
from rl_backend.train import train
from rl_backend.verl_adapter import Trainer
from store.errors import UsageError
from store.queries import RolloutLinks, freeze_dataset, groups, save_rollouts
from store.session import Store
from store.types import Fate, SegmentRecord
from tests.rl_backend.toy import random_rollouts
from tests.store.records import a_rollout, a_run, some_tasks

CONFIG = TrainConfig(lr=1e-3, epochs=1, batch_rollouts=8, threads=1)


def frozen(session: Session, base: Path, *, nats: float = 0.0) -> int:
    """The toy's rollouts as a frozen dataset of three groups of four, log-probs moved by noise; returns its id."""
    noise = np.random.default_rng(5)
    run_id, corpus_id = a_run(session)
    tasks = some_tasks(session, run_id=run_id, corpus_id=corpus_id, fates=[Fate.KEPT] * 3)
    rows = []
    for rollout in random_rollouts(base, groups=3):
        segments = [
            SegmentRecord(
                s.token_ids.tolist(),
                s.loss_mask.tolist(),
                (s.logprobs + noise.normal(0, nats, len(s.logprobs))).tolist(),
            )
            for s in rollout.segments
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


@pytest.mark.parametrize("segment_loss", ["per_segment", "per_rollout"])
@pytest.mark.parametrize("beta1", [1e-3, 1.0])
def test_the_loss_of_a_stored_batch_is_the_equation_to_a_millionth(
    base: Path, tmp_path: Path, segment_loss: str, beta1: float
):
    config = TrainConfig.model_validate(
        {"segment_loss": segment_loss, "beta1": beta1, "micro_batch_tokens": 300, "threads": 1}
    )
    store = Store.open(f"sqlite:///{tmp_path}/karl.db")
    try:
        with store.session() as session:
            source = StoreSource(store, frozen(session, base, nats=0.3))
        loader = Loader(source, build_index(source, config=config), config=config)
        rollouts = [rollout for group in source.groups() for rollout in group]
        examples = loader.examples(range(len(rollouts)))
    finally:
        store.close()
    trainer = Trainer(base, config=config, total_steps=1)
    fresh = iter(trainer.logprobs([segment for example in examples for segment in example.segments]))
    found = trainer.train_step(pack(examples, config=config))
    trainer.close()
    expected = equation(rollouts, fresh, config=config)
    assert found["loss"] == pytest.approx(expected, rel=1e-6)


def equation(rollouts: Sequence[RolloutLike], fresh: Iterator[NDArray[np.float32]], *, config: TrainConfig) -> float:
    """mean (beta2 * L - (r - V))^2 in Python's own floats, from the rows of the store."""
    rewards: dict[int, list[float]] = {}
    for rollout in rollouts:
        rewards.setdefault(rollout.group_id, []).append(rollout.reward)
    squares = []
    for rollout in rollouts:
        group, top = rewards[rollout.group_id], max(rewards[rollout.group_id])
        mean = math.fsum(math.exp((reward - top) / config.beta1) for reward in group) / len(group)
        advantage = rollout.reward - (top + config.beta1 * math.log(mean))
        ratios = [
            math.fsum(float(p) - float(q) for p, q, m in zip(now, s.logprobs, s.loss_mask, strict=True) if m)
            for s, now in zip(rollout.segments, fresh, strict=False)
        ]
        terms = ratios if config.segment_loss == "per_segment" else [math.fsum(ratios)]
        squares += [(config.beta2 * term - advantage) ** 2 for term in terms]
    return math.fsum(squares) / len(squares)


def test_an_unknown_dataset_is_said_to_be_empty(base: Path, tmp_path: Path):
    store = Store.open(f"sqlite:///{tmp_path}/karl.db")
    try:
        with pytest.raises(UsageError, match="no rollouts to train on"):
            train(StoreSource(store, 99), base=base, out=tmp_path / "out", config=CONFIG)
    finally:
        store.close()
