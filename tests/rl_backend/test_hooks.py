"""When a training calls its hooks: the drift before the first step, evaluations behind epochs and the last step."""

from __future__ import annotations

from pathlib import Path

import pytest

from rl_backend.checkpoint import weights_sha256
from rl_backend.config import TrainConfig
from rl_backend.drift import Drift
from rl_backend.hooks import Evaluation, Hooks
from rl_backend.source import MemorySource
from rl_backend.train import train
from store.errors import KarlError
from tests.rl_backend.toy import random_rollouts

# Three steps an epoch.
CONFIG = TrainConfig(lr=2e-3, epochs=4, batch_rollouts=8, micro_batch_tokens=400, threads=1)


class Killed(BaseException):
    """What no handler catches."""


def test_steps_behind_the_last_whole_epoch_are_evaluated_too(base: Path, tmp_path: Path):
    seen: dict[int, str] = {}

    def evaluate(epoch: int, step: int, folder: Path) -> Evaluation:
        seen[step] = weights_sha256(folder)
        return Evaluation(score=step)

    config, source = CONFIG.model_copy(update={"max_steps": 5}), MemorySource(random_rollouts(base))
    result = train(source, base=base, out=tmp_path / "out", config=config, hooks=Hooks(evaluate=evaluate))
    assert list(seen) == [3, 5] and result.steps == 5
    assert result.weights_sha256 == seen[5]  # the best of both, and not thrown away unseen


def test_a_training_shorter_than_an_epoch_is_evaluated(base: Path, tmp_path: Path):
    config, source = CONFIG.model_copy(update={"max_steps": 2}), MemorySource(random_rollouts(base))
    hooks = Hooks(evaluate=lambda epoch, step, folder: Evaluation(score=0.5, unfinished=0.9))
    with pytest.raises(KarlError, match=r"step 2: 90% of the rollouts .* no longer finish"):
        train(source, base=base, out=tmp_path / "out", config=config, hooks=hooks)


def test_an_evaluation_inside_an_epoch_that_a_kill_cut_short_is_made_again(base: Path, tmp_path: Path):
    config, source, seen = CONFIG.model_copy(update={"max_steps": 2}), MemorySource(random_rollouts(base)), list[int]()

    def killed(epoch: int, step: int, folder: Path) -> Evaluation:
        raise Killed

    def evaluate(epoch: int, step: int, folder: Path) -> Evaluation:
        seen.append(step)
        return Evaluation(score=0.5)

    with pytest.raises(Killed):
        train(source, base=base, out=tmp_path / "out", config=config, hooks=Hooks(evaluate=killed))
    result = train(source, base=base, out=tmp_path / "out", config=config, hooks=Hooks(evaluate=evaluate))
    assert seen == [2] and result.steps == 2 and result.out is not None


def test_the_drift_is_told_before_the_first_step_and_when_a_training_goes_on(base: Path, tmp_path: Path):
    told: list[Drift | int] = []

    def on_step(step: int, steps: int, figures: dict[str, float]) -> None:
        told.append(step)
        if told.count(1) == 1 and step == 2:
            raise Killed

    config, source = CONFIG.model_copy(update={"max_steps": 3, "checkpoint_steps": 1}), random_rollouts(base)
    hooks = Hooks(on_drift=told.append, on_step=on_step)
    with pytest.raises(Killed):
        train(MemorySource(source), base=base, out=tmp_path / "out", config=config, hooks=hooks)
    drift = told[0]
    assert isinstance(drift, Drift) and drift.mean < 1e-3 and told[1:] == [1, 2]
    told.append(1)  # lets the second attempt run to its end
    train(MemorySource(source), base=base, out=tmp_path / "out", config=config, hooks=hooks)
    assert told[4:] == [drift, 2, 3]
