"""What the loss is held against: numbers worked out by hand, transformers, and the trainers themselves."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from rl_backend.bare import BareTrainer, LoopSettings
from rl_backend.batch import pack
from rl_backend.config import TrainConfig
from rl_backend.exact import exact_logprobs, exact_loss, exact_value
from rl_backend.exact_model import ExactModel
from rl_backend.random_model import SMALL, TOY, Shape, write_random_model
from rl_backend.rollouts import TrainingRollout, TrainingSegment
from rl_backend.timing import take_turns
from rl_backend.utilisation import batch_of, utilisation
from tests.rl_backend.toy import examples_of, make_base, plain_logprobs, random_rollouts


def a_segment(logprobs: list[float], mask: list[int]) -> TrainingSegment:
    return TrainingSegment(np.zeros(len(mask), np.int32), np.array(mask, np.uint8), np.array(logprobs, np.float32))


def test_the_equations_on_numbers_worked_out_by_hand():
    winner = TrainingRollout(0, 0, 1.0, [a_segment([9, -1, -2], [0, 1, 1]), a_segment([9, -4], [0, 1])])
    loser = TrainingRollout(1, 0, 0.0, [a_segment([9, -3], [0, 1])])
    logp = [[np.array([7.0, -0.5, -1.0]), np.array([7.0, -2.0])], [np.array([7.0, -7.0])]]
    value = math.log((math.e + 1) / 2)
    assert exact_value([1.0, 0.0], beta1=1.0) == pytest.approx(value, rel=1e-15)
    # Log-ratios: 0.5 + 1 and 2 for the winner's segments, -4 for the loser's.
    per_segment = [(0.75 - (1 - value)) ** 2, (1 - (1 - value)) ** 2, (-2 + value) ** 2]
    per_rollout = [(1.75 - (1 - value)) ** 2, (-2 + value) ** 2]
    for loss, squares in (("per_segment", per_segment), ("per_rollout", per_rollout)):
        found = exact_loss([winner, loser], logp, beta1=1.0, beta2=0.5, segment_loss=loss)
        assert found == pytest.approx(sum(squares) / len(squares), rel=1e-14)


def test_the_value_of_a_cold_group_is_its_best_reward():
    assert exact_value([0.0, 0.25, 1.0], beta1=1e-4) == pytest.approx(1.0, abs=2e-4)


@pytest.mark.parametrize("tied", [True, False])
def test_the_numpy_model_is_the_one_of_transformers(tied: bool, tmp_path: Path):
    folder = make_base(tmp_path / "base", seed=4, tied=tied)
    ids = np.random.default_rng(0).integers(0, 128, 90).astype(np.int32)
    segment = TrainingSegment(ids, np.array([0] + [1] * 89, np.uint8), np.zeros(90, np.float32))
    (expected,) = plain_logprobs(folder, [segment])
    np.testing.assert_allclose(ExactModel(folder).logprobs(ids), expected, atol=5e-6)


def test_a_bare_loop_reads_the_same_defaults_as_a_recipe():
    config = TrainConfig()
    settings = LoopSettings()
    assert {name: getattr(config, name) for name in LoopSettings.__dataclass_fields__} == {
        name: getattr(settings, name) for name in LoopSettings.__dataclass_fields__
    }


@pytest.mark.parametrize("segment_loss", ["per_segment", "per_rollout"])
@pytest.mark.parametrize("selective", [True, False])
def test_the_bare_loop_computes_the_equations(base: Path, segment_loss: str, selective: bool):
    rollouts = random_rollouts(base, groups=3)
    for rollout in rollouts:
        for segment in rollout.segments:
            segment.logprobs[:] -= 0.1 * segment.loss_mask
    config = TrainConfig.model_validate({"segment_loss": segment_loss, "micro_batch_tokens": 200})
    batch = pack(examples_of(rollouts, config=config), config=config)
    measured = BareTrainer(base, config=config, total_steps=1, selective=selective).train_step(batch)["loss"]
    logp = exact_logprobs(base, rollouts)
    exact = exact_loss(rollouts, logp, beta1=config.beta1, beta2=config.beta2, segment_loss=segment_loss)
    assert measured == pytest.approx(exact, rel=1e-6)


def test_weights_and_operations_are_counted(tmp_path: Path):
    shape = Shape(vocab=10, width=8, layers=2, heads=2, kv_heads=1, head_dim=4, mlp=12)
    # q and o 8 x 8, k and v 8 x 4, three of 8 x 12; norms multiply nothing by a matrix.
    assert shape.layer_weights == 2 * (2 * 64 + 2 * 32 + 3 * 96)
    assert shape.training_flops(lengths=[3, 5], headed=2) == 6 * (960 * 8 + 80 * 2) + 6 * 2 * 2 * 4 * (9 + 25)
    parameters = write_random_model(tmp_path / "small", SMALL, seed=0)
    norms = SMALL.width * (2 * SMALL.layers + 1) + 2 * SMALL.layers * SMALL.head_dim
    assert parameters == SMALL.layer_weights + SMALL.vocab * SMALL.width + norms


def test_every_trainer_takes_each_batch_and_the_first_turn_moves_on():
    seen: list[str] = []
    batches = [batch_of(TOY, rows=2, length=64, micro_rows=1, seed=seed) for seed in range(4)]

    def trainer(name: str):
        return lambda batch: seen.append(name) or {}

    taken = take_turns({name: trainer(name) for name in "ab"}, batches, warm_up=1, turns=3)
    assert "".join(seen) == "abbaabba"
    assert [turn.tokens for turn in taken] == [128] * 3
    assert all(seconds.wall >= 0 for turn in taken for seconds in (turn.reading, *turn.steps.values()))
    with pytest.raises(ValueError, match="5 batches are needed, there are 4"):
        take_turns({"a": trainer("a")}, batches, warm_up=2, turns=3)


def test_utilisation_is_operations_over_time_over_a_rate():
    batch = batch_of(TOY, rows=4, length=64, micro_rows=2, seed=0)
    assert batch.trained_token_count == 4 * 16
    found = utilisation({"nothing": lambda batch: {}}, batch, TOY, device="cpu", turns=3, matmul=64)
    assert found["flops_per_step"] == TOY.training_flops(lengths=[64] * 4, headed=64)
    measured = found["trainers"]["nothing"]
    assert measured["share_of_matmul"] == pytest.approx(measured["flops_per_second"] / found["matmul_flops"], rel=1e-3)
    assert measured["utilisation"] is None and found["data_sheet_flops"] is None  # a CPU has no data sheet here
