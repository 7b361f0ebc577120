"""From rollouts to steps: V per group, nothing lost, nothing cut, little padding."""

from __future__ import annotations

import numpy as np
import pytest

from rl_backend.batch import (
    TrainingRollout,
    TrainingSegment,
    batches,
    group_advantages,
    pack,
    step_count,
    training_set,
)
from rl_backend.config import TrainConfig
from store.errors import KarlError, UsageError


def segment(tokens: int, *, trained: int = 2) -> TrainingSegment:
    mask = np.zeros(tokens, np.uint8)
    mask[tokens - trained :] = 1
    return TrainingSegment(np.arange(tokens, dtype=np.int32), mask, np.zeros(tokens, np.float32))


def rollout(rollout_id: int, group_id: int, reward: float, *lengths: int) -> TrainingRollout:
    return TrainingRollout(rollout_id, group_id, reward, [segment(length) for length in lengths])


def many(count: int = 40, seed: int = 3) -> list[TrainingRollout]:
    draw = np.random.default_rng(seed)
    return [
        rollout(i, i // 8, float(draw.random() < 0.5), *draw.integers(5, 90, draw.integers(1, 4)).tolist())
        for i in range(count)
    ]


def test_segment_count_cannot_move_the_value():
    few = [rollout(0, 0, 1.0, 9), rollout(1, 0, 0.0, 9)]
    cut = [rollout(0, 0, 1.0, 9, 9, 9, 9, 9), rollout(1, 0, 0.0, 9)]
    found = [[e.advantage for e in training_set(rows, config=TrainConfig()).examples] for rows in (few, cut)]
    assert found[0] == found[1] == group_advantages([1.0, 0.0], beta1=1.0)


def test_a_rollout_whose_segments_are_too_long_still_counts_for_the_value():
    rows = [rollout(0, 0, 1.0, 50), rollout(1, 0, 0.0, 9, 50), rollout(2, 0, 0.0, 9)]
    found = training_set(rows, config=TrainConfig(max_segment_tokens=20))
    assert [e.rollout_id for e in found.examples] == [1, 2]
    assert [e.advantage for e in found.examples] == group_advantages([1.0, 0.0, 0.0], beta1=1.0)[1:]
    assert (found.dropped_segments, found.dropped_rollouts, found.segment_count) == (2, 1, 2)


def test_groups_that_come_interleaved_are_put_together():
    rows = [rollout(0, 5, 1.0, 9), rollout(1, 6, 1.0, 9), rollout(2, 5, 0.0, 9), rollout(3, 6, 1.0, 9)]
    by_id = {e.rollout_id: e.advantage for e in training_set(rows, config=TrainConfig()).examples}
    assert by_id[1] == by_id[3] == 0.0
    assert by_id[0] > 0 > by_id[2]


def test_sft_takes_winners_or_all():
    rows = [rollout(0, 0, 1.0, 9), rollout(1, 0, 0.0, 9), rollout(2, 0, 0.5, 9)]
    for sft_on, expected in (("winners", [0, 2]), ("all", [0, 1, 2])):
        config = TrainConfig.model_validate({"algorithm": "sft", "sft_on": sft_on})
        assert [e.rollout_id for e in training_set(rows, config=config).examples] == expected


def test_an_epoch_sees_every_rollout_once_and_the_seed_decides_the_order():
    config = TrainConfig(epochs=2, batch_rollouts=16)
    data = training_set(many(), config=config)
    steps = list(batches(data.examples, config=config))
    assert len(steps) == step_count(40, config=config) == 6
    assert [len(step.reward_R) for step in steps] == [16, 16, 8] * 2
    for epoch in (steps[:3], steps[3:]):
        assert sum(step.segment_count for step in epoch) == data.segment_count
    again = [step.reward_R.tolist() for step in batches(data.examples, config=config)]
    other = [step.reward_R.tolist() for step in batches(data.examples, config=config.model_copy(update={"seed": 1}))]
    assert again == [step.reward_R.tolist() for step in steps] != other


def test_max_steps_ends_the_training_early():
    config = TrainConfig(epochs=9, batch_rollouts=8, max_steps=7)
    assert step_count(40, config=config) == 7
    assert len(list(batches(training_set(many(), config=config).examples, config=config))) == 7


@pytest.mark.parametrize("segment_loss", ["per_segment", "per_rollout"])
@pytest.mark.parametrize("budget", [1, 300, 1000, 10**6])
def test_micro_batches_are_equal_and_complete(segment_loss: str, budget: int):
    config = TrainConfig.model_validate({"segment_loss": segment_loss, "micro_batch_tokens": budget})
    examples = training_set(many(), config=config).examples
    step = pack(examples, config=config)
    assert len(step.rows) % step.micro_rows == 0
    assert step.segment_count == sum(len(e.segments) for e in examples)
    assert step.token_count == sum(len(s.token_ids) for e in examples for s in e.segments)
    if segment_loss == "per_rollout":
        homes: dict[int, set[int]] = {}
        for position, row in enumerate(step.rows):
            homes.setdefault(row.rollout, set()).add(position // step.micro_rows)
        assert all(len(home) == 1 for number, home in homes.items() if number >= 0)


def test_sorting_by_length_keeps_padding_small():
    config = TrainConfig(micro_batch_tokens=300)
    step = pack(training_set(many(), config=config).examples, config=config)
    assert step.token_count <= step.padded_token_count < 1.25 * step.token_count


def test_nothing_to_train_on_is_said_plainly():
    with pytest.raises(UsageError, match="no rollouts"):
        training_set([], config=TrainConfig())
    with pytest.raises(UsageError, match="winner_reward"):
        training_set([rollout(0, 0, 0.0, 9)], config=TrainConfig(algorithm="sft"))
    with pytest.raises(UsageError, match="max_segment_tokens = 5"):
        training_set([rollout(0, 0, 0.0, 9)], config=TrainConfig(max_segment_tokens=5))


def test_a_bad_row_is_named():
    ragged = TrainingSegment(np.zeros(3, np.int32), np.zeros(2, np.uint8), np.zeros(3, np.float32))
    with pytest.raises(KarlError, match=r"rollout 7, segment 0: .*differ in length"):
        training_set([TrainingRollout(7, 0, 1.0, [ragged])], config=TrainConfig())
    with pytest.raises(KarlError, match="rollout 8, segment 1: its first token"):
        training_set([TrainingRollout(8, 0, 1.0, [segment(5), segment(2)])], config=TrainConfig())
    with pytest.raises(KarlError, match="rollout 9: reward is nan"):
        training_set([rollout(9, 0, float("nan"), 9)], config=TrainConfig())
