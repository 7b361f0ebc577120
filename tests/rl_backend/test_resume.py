"""A training that ends before its time: what is left, and how it goes on."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from rl_backend.checkpoint import check_model_folder, weights_sha256
from rl_backend.config import TrainConfig
from rl_backend.hooks import Evaluation, Hooks
from rl_backend.rollouts import TrainingRollout
from rl_backend.source import MemorySource
from rl_backend.train import train
from store.errors import KarlError
from tests.rl_backend.toy import plain_logprobs, random_rollouts

# Three steps an epoch: a state is saved behind step 3, 6, ... and nowhere else.
CONFIG = TrainConfig(lr=2e-3, epochs=4, batch_rollouts=8, micro_batch_tokens=400, threads=1, checkpoint_steps=3)


class Killed(BaseException):
    """What no handler catches."""


def losses_until(step: int | None, rollouts: list[TrainingRollout], *, base: Path, out: Path, config: TrainConfig):
    """The losses by step number of a training that is killed after `step`, or runs to its end."""
    seen: dict[int, float] = {}

    def on_step(number: int, steps: int, figures: dict[str, float]) -> None:
        seen[number] = figures["loss"]
        if number == step:
            raise Killed

    try:
        train(MemorySource(rollouts), base=base, out=out, config=config, hooks=Hooks(on_step=on_step))
    except Killed:
        assert step is not None
    return seen


def state(out: Path, *, step: int) -> Path:
    """Of the only training that was begun for `out`."""
    (found,) = out.with_name(f"{out.name}.training").glob(f"*/step-{step:06d}")
    return found


@pytest.mark.parametrize("reference", ["engine", "trainer"])
def test_a_training_killed_at_step_7_goes_on_exactly(base: Path, tmp_path: Path, reference: str):
    rollouts = random_rollouts(base)
    config = CONFIG.model_copy(update={"reference": reference})
    whole = losses_until(None, rollouts, base=base, out=tmp_path / "whole", config=config)
    begun = losses_until(7, rollouts, base=base, out=tmp_path / "out", config=config)
    assert not (tmp_path / "out").exists()
    rest = losses_until(None, rollouts, base=base, out=tmp_path / "out", config=config)
    assert sorted(begun) == list(range(1, 8)) and sorted(rest) == list(range(7, 13))
    assert {**begun, **rest} == whole
    assert weights_sha256(tmp_path / "out") == weights_sha256(tmp_path / "whole")
    assert not (tmp_path / "out.training").exists()


def test_a_stopped_training_saves_its_state_and_no_checkpoint(base: Path, tmp_path: Path):
    rollouts, seen, started = random_rollouts(base), list[int](), list[tuple[int, int]]()
    hooks = Hooks(
        on_start=lambda step, steps: started.append((step, steps)),
        on_step=lambda step, steps, figures: seen.append(step),
        should_stop=lambda: len(seen) == 2 and len(started) == 1,
    )
    stopped = train(MemorySource(rollouts), base=base, out=tmp_path / "out", config=CONFIG, hooks=hooks)
    assert stopped.stopped and stopped.steps == 2 and stopped.out is None
    assert [path.name for path in tmp_path.iterdir()] == ["out.training"]
    check_model_folder(state(tmp_path / "out", step=2))
    done = train(MemorySource(rollouts), base=base, out=tmp_path / "out", config=CONFIG, hooks=hooks)
    assert started == [(0, 12), (2, 12)] and seen == list(range(1, 13))
    assert done.steps == 12 and done.tokens == 4 * sum(len(s.token_ids) for r in rollouts for s in r.segments)
    assert done.drift == stopped.drift  # measured with the weights at the start, and kept


def test_states_are_pruned_to_the_number_that_is_kept(base: Path, tmp_path: Path):
    config = CONFIG.model_copy(update={"checkpoint_steps": 1, "keep_checkpoints": 2})
    losses_until(9, random_rollouts(base), base=base, out=tmp_path / "out", config=config)
    assert sorted(path.name for path in state(tmp_path / "out", step=8).parent.iterdir()) == [
        "step-000007",
        "step-000008",
    ]


@pytest.mark.parametrize(
    ("change", "said"), [({"lr": 1e-3}, "another configuration"), ({"keep_checkpoints": 3}, None)], ids=["lr", "keep"]
)
def test_another_training_does_not_go_on_from_it(
    base: Path, tmp_path: Path, change: dict[str, object], said: str | None, caplog: pytest.LogCaptureFixture
):
    rollouts = random_rollouts(base)
    losses_until(4, rollouts, base=base, out=tmp_path / "out", config=CONFIG)
    with caplog.at_level(logging.WARNING):
        rest = losses_until(None, rollouts, base=base, out=tmp_path / "out", config=CONFIG.model_copy(update=change))
    assert min(rest) == (1 if said else 4)
    assert (said or "") in caplog.text and ("starts over" in caplog.text) == bool(said)


def test_a_state_that_cannot_be_read_is_passed_over(base: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    rollouts = random_rollouts(base)
    config = CONFIG.model_copy(update={"keep_checkpoints": 2})
    losses_until(7, rollouts, base=base, out=tmp_path / "out", config=config)
    (state(tmp_path / "out", step=6) / "training.json").write_text("{")
    rest = losses_until(None, rollouts, base=base, out=tmp_path / "out", config=config)
    assert min(rest) == 4 and "step-000006: not a training state" in caplog.text


def evaluated(scores: list[Evaluation], seen: list[tuple[int, int]]) -> Hooks:
    def evaluate(epoch: int, step: int, folder: Path) -> Evaluation:
        check_model_folder(folder)
        seen.append((epoch, step))
        return scores[epoch]

    return Hooks(evaluate=evaluate)


def test_the_best_by_evaluation_is_written_and_patience_ends_the_training(base: Path, tmp_path: Path):
    rollouts, seen = random_rollouts(base), list[tuple[int, int]]()
    config = CONFIG.model_copy(update={"patience": 1, "checkpoint_steps": None})
    scores = [Evaluation(0.3), Evaluation(0.5), Evaluation(0.4), Evaluation(0.9)]
    result = train(
        MemorySource(rollouts), base=base, out=tmp_path / "out", config=config, hooks=evaluated(scores, seen)
    )
    assert seen == [(0, 3), (1, 6), (2, 9)] and result.steps == 9 and not result.stopped
    best = losses_until(7, rollouts, base=base, out=tmp_path / "other", config=CONFIG)
    assert len(best) == 7
    assert weights_sha256(tmp_path / "out") == weights_sha256(state(tmp_path / "other", step=6))
    segments = list(rollouts[0].segments)
    assert np.isfinite(plain_logprobs(tmp_path / "out", segments)[0]).all()
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(p.name for p in base.iterdir())


def test_rollouts_that_no_longer_finish_stop_the_training(base: Path, tmp_path: Path):
    hooks = evaluated([Evaluation(0.3, unfinished=0.1), Evaluation(0.3, unfinished=0.7)], [])
    with pytest.raises(KarlError, match=r"step 6: 70% of the rollouts .* The last good checkpoint is .*step-000003"):
        train(MemorySource(random_rollouts(base)), base=base, out=tmp_path / "out", config=CONFIG, hooks=hooks)


def test_an_evaluation_that_a_kill_cut_short_is_made_again(base: Path, tmp_path: Path):
    rollouts, seen = random_rollouts(base), list[tuple[int, int]]()

    def killed(epoch: int, step: int, folder: Path) -> Evaluation:
        raise Killed

    with pytest.raises(Killed):
        hooks = Hooks(evaluate=killed)
        train(MemorySource(rollouts), base=base, out=tmp_path / "out", config=CONFIG, hooks=hooks)
    again = evaluated([Evaluation(0.1)] * 4, seen)
    train(MemorySource(rollouts), base=base, out=tmp_path / "out", config=CONFIG, hooks=again)
    assert seen == [(0, 3), (1, 6), (2, 9), (3, 12)]
