"""From rollouts to steps: V per group, nothing lost, nothing cut, little padding."""

from __future__ import annotations

import numpy as np
import pytest

from rl_backend.batch import pack, share
from rl_backend.config import TrainConfig
from rl_backend.index import TrainingIndex, build_index, group_advantages
from rl_backend.plan import Plan
from rl_backend.rollouts import TrainingRollout, TrainingSegment
from rl_backend.source import MemorySource
from store.errors import KarlError, UsageError
from tests.rl_backend.toy import examples_of, loader_of


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


def index_of(rollouts: list[TrainingRollout], config: TrainConfig | None = None) -> TrainingIndex:
    return build_index(MemorySource(rollouts), config=config or TrainConfig())


def rewards_of(config: TrainConfig, *, after: int = 0) -> list[list[float]]:
    """Rewards of every step's rollouts: which step sees which."""
    loader = loader_of(many(), config=config)
    steps = loader.batches(Plan(loader.index.entries, config=config), after=after)
    return [batch.reward_R.tolist() for _, batch in steps]


def test_segment_count_cannot_move_the_value():
    few = [rollout(0, 0, 1.0, 9), rollout(1, 0, 0.0, 9)]
    cut = [rollout(0, 0, 1.0, 9, 9, 9, 9, 9), rollout(1, 0, 0.0, 9)]
    found = [[e.advantage for e in index_of(rows).entries] for rows in (few, cut)]
    assert found[0] == found[1] == group_advantages([1.0, 0.0], config=TrainConfig())


def test_a_rollout_whose_segments_are_too_long_still_counts_for_the_value():
    rows = [rollout(0, 0, 1.0, 50), rollout(1, 0, 0.0, 9, 50), rollout(2, 0, 0.0, 9)]
    found = index_of(rows, TrainConfig(max_segment_tokens=20))
    assert [e.rollout_id for e in found.entries] == [1, 2]
    assert [e.advantage for e in found.entries] == group_advantages([1.0, 0.0, 0.0], config=TrainConfig())[1:]
    assert (found.dropped_segments, found.dropped_rollouts, found.segment_count) == (2, 1, 2)


def test_groups_that_come_interleaved_are_put_together():
    rows = [rollout(0, 5, 1.0, 9), rollout(1, 6, 1.0, 9), rollout(2, 5, 0.0, 9), rollout(3, 6, 1.0, 9)]
    by_id = {e.rollout_id: e.advantage for e in index_of(rows).entries}
    assert by_id[1] == by_id[3] == 0.0
    assert by_id[0] > 0 > by_id[2]


def test_sft_takes_winners_or_all():
    rows = [rollout(0, 0, 1.0, 9), rollout(1, 0, 0.0, 9), rollout(2, 0, 0.5, 9)]
    for sft_on, expected in (("winners", [0, 2]), ("all", [0, 1, 2])):
        config = TrainConfig.model_validate({"algorithm": "sft", "sft_on": sft_on})
        assert [e.rollout_id for e in index_of(rows, config).entries] == expected


def test_an_epoch_sees_every_rollout_once_and_the_seed_decides_the_order():
    config = TrainConfig(epochs=2, batch_rollouts=16)
    plan = Plan(index_of(many()).entries, config=config)
    steps = list(plan.steps())
    assert plan.step_count == 6
    assert [len(step.positions) for step in steps] == [16, 16, 8] * 2
    assert [step.ends_epoch for step in steps] == [False, False, True] * 2
    for epoch in (steps[:3], steps[3:]):
        assert sorted(i for step in epoch for i in step.positions) == list(range(40))
    assert rewards_of(config) == rewards_of(config) != rewards_of(config.model_copy(update={"seed": 1}))


def test_a_group_comes_in_one_piece():
    steps = Plan(index_of(many()).entries, config=TrainConfig(epochs=1, batch_rollouts=8)).steps()
    assert all(len({i // 8 for i in step.positions}) == 1 for step in steps)


def test_a_plan_can_be_entered_at_any_step():
    config = TrainConfig(epochs=2, batch_rollouts=16)
    assert rewards_of(config, after=4) == rewards_of(config)[4:]


def test_max_steps_ends_the_training_early():
    plan = Plan(index_of(many()).entries, config=TrainConfig(epochs=9, batch_rollouts=8, max_steps=7))
    assert plan.step_count == len(list(plan.steps())) == 7


@pytest.mark.parametrize("ranks", [2, 3])
def test_ranks_share_a_step_without_losing_a_row(ranks: int):
    config = TrainConfig(micro_batch_tokens=200)
    examples = examples_of(many(), config=config)
    step = pack(examples, config=config, ranks=ranks)
    shares = [share(step.rows, micro_rows=step.micro_rows, rank=rank, ranks=ranks) for rank in range(ranks)]
    assert len({len(rows) for rows in shares}) == 1 and len(shares[0]) % step.micro_rows == 0
    assert sum(row.rollout >= 0 for rows in shares for row in rows) == sum(len(e.segments) for e in examples)


@pytest.mark.parametrize("segment_loss", ["per_segment", "per_rollout"])
@pytest.mark.parametrize("budget", [1, 300, 1000, 10**6])
def test_micro_batches_are_equal_and_complete(segment_loss: str, budget: int):
    config = TrainConfig.model_validate({"segment_loss": segment_loss, "micro_batch_tokens": budget})
    examples = examples_of(many(), config=config)
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
    step = pack(examples_of(many(), config=config), config=config)
    assert step.token_count <= step.padded_token_count < 1.25 * step.token_count


def test_nothing_to_train_on_is_said_plainly():
    with pytest.raises(UsageError, match="no rollouts"):
        index_of([], TrainConfig())
    with pytest.raises(UsageError, match="winner_reward"):
        index_of([rollout(0, 0, 0.0, 9)], TrainConfig(algorithm="sft"))
    with pytest.raises(UsageError, match="max_segment_tokens = 5"):
        index_of([rollout(0, 0, 0.0, 9)], TrainConfig(max_segment_tokens=5))


def test_a_bad_row_is_named():
    ragged = TrainingSegment(np.zeros(3, np.int32), np.zeros(2, np.uint8), np.zeros(3, np.float32))
    with pytest.raises(KarlError, match=r"rollout 7, segment 0: .*differ in length"):
        index_of([TrainingRollout(7, 0, 1.0, [ragged])], TrainConfig())
    with pytest.raises(KarlError, match="rollout 8, segment 1: its first token"):
        index_of([TrainingRollout(8, 0, 1.0, [segment(5), segment(2)])], TrainConfig())
    with pytest.raises(KarlError, match="rollout 9: reward is nan"):
        index_of([rollout(9, 0, float("nan"), 9)], TrainConfig())
