"""From rollouts to steps: V per group, nothing lost, nothing cut, little padding."""

from __future__ import annotations

import numpy as np
import pytest

from rl_backend.batch import Row, Unit, pack, pack_rows, padded_tokens, token_count
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


def units_of(*lengths: int) -> list[Unit]:
    return [[Row(segment(length), number, 0.0)] for number, length in enumerate(lengths)]


def skewed(count: int = 400, *, seed: int = 0) -> list[Unit]:
    """Most segments are short, a few many times as long: lengths as rollouts have them."""
    lengths = np.clip(1000 * np.exp(np.random.default_rng(seed).normal(size=count)), 8, 8192)
    return units_of(*lengths.astype(int).tolist())


def cap(tokens: int, *, packed: bool = False) -> TrainConfig:
    return TrainConfig(micro_batch_tokens=tokens, remove_padding=packed)


@pytest.mark.parametrize("segment_loss", ["per_segment", "per_rollout"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("ranks", [1, 2, 3, 7])
def test_ranks_share_a_step_without_losing_a_row(ranks: int, packed: bool, segment_loss: str):
    config = cap(300, packed=packed).model_copy(update={"segment_loss": segment_loss})
    examples = examples_of(many(), config=config)
    step = pack(examples, config=config, ranks=ranks)
    shares = [step.share(rank) for rank in range(ranks)]
    assert len({len(own) for own in shares}) == 1
    found = [(row.rollout, len(row.segment.token_ids)) for own in shares for rows in own for row in rows]
    assert sorted(found) == sorted((i, len(s.token_ids)) for i, e in enumerate(examples) for s in e.segments)
    if segment_loss == "per_rollout":
        homes = [{row.rollout for row in rows} for rows in step.micro_batches]
        assert sum(map(len, homes)) == len(examples)  # no rollout has two


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("ranks", [1, 8])
@pytest.mark.parametrize("budget", [8192, 10_000, 65_536])
def test_no_micro_batch_has_more_tokens_than_it_may(budget: int, ranks: int, packed: bool):
    cost = token_count if packed else padded_tokens
    found = pack_rows(skewed(), config=cap(budget, packed=packed), ranks=ranks)
    assert max(map(cost, found)) <= budget
    assert all(row.rollout >= 0 for rows in found for row in rows)


@pytest.mark.parametrize("packed", [False, True])
def test_long_segments_cost_the_short_ones_nothing(packed: bool):
    found = pack_rows(units_of(*[1000] * 200, 65_000, *[1000] * 200), config=cap(65_536, packed=packed))
    assert len(found) == 8 and len(found[0]) == 1  # 400 short ones fill seven
    every = sum(token_count(unit) for unit in skewed())
    assert len(pack_rows(skewed(), config=cap(65_536, packed=packed))) <= every / 65_536 * (1.03 if packed else 1.3) + 1


def test_what_is_longer_than_the_cap_goes_alone():
    found = pack_rows(units_of(50, 10, 120, 20), config=cap(100))
    assert [[len(row.segment.token_ids) for row in rows] for rows in found] == [[120], [50], [20, 10]]
    together = [[Row(segment(60), 0, 0.0), Row(segment(70), 0, 0.0)], [Row(segment(40), 1, 0.0)]]
    assert [len(rows) for rows in pack_rows(together, config=cap(100))] == [2, 1]


def test_ranks_wait_for_padding_only_where_there_are_too_few_rows():
    assert [len(rows) for rows in pack_rows(units_of(9, 9, 9, 9), config=cap(1000), ranks=3)] == [1, 1, 2]
    few = pack_rows(units_of(9, 9), config=cap(1000), ranks=3)
    assert [rows[0].rollout for rows in few] == [0, 1, -1]


def test_rounds_are_even():
    """Nine full micro-batches on eight ranks are two rounds either way: no rank may do two full ones meanwhile."""
    found = pack_rows(units_of(*[100] * 90), config=cap(1000), ranks=8)
    assert len(found) == 16 and max(map(padded_tokens, found)) == 600


def test_sorting_by_length_keeps_padding_small():
    config = cap(300)
    step = pack(examples_of(many(), config=config), config=config)
    assert step.token_count <= sum(map(padded_tokens, step.micro_batches)) < 1.25 * step.token_count


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
