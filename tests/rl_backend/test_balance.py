"""Tasks weigh alike: the same number of training tokens an epoch, whole groups only."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rl_backend.balance import TOLERANCE, Group, balanced, gap, groups_of, tokens_by_kind
from rl_backend.config import TrainConfig
from rl_backend.index import Entry
from rl_backend.plan import Plan


def group(kind: str, number: int, trained: int) -> Group:
    return Group(kind, (number,), trained)


def entries(sizes: dict[str, tuple[int, int]]) -> list[Entry]:
    """`sizes`: groups of a kind, and training tokens of each of their two rollouts."""
    kinds = [(kind, tokens) for kind, (count, tokens) in sizes.items() for _ in range(count)]
    return [
        Entry(2 * i + j, i, kind, float(j), 0.5 - j, (2 * tokens,), tokens)
        for i, (kind, tokens) in enumerate(kinds)
        for j in range(2)
    ]


@given(
    st.lists(st.integers(20, 60), min_size=60, max_size=90),
    st.lists(st.integers(20, 90), min_size=30, max_size=60),
    st.integers(0, 2**32),
)
def test_tasks_come_within_two_percent(small: list[int], large: list[int], seed: int):
    own = [group("a", i, size) for i, size in enumerate(small)]
    own += [group("b", 100 + i, size) for i, size in enumerate(large)]
    totals = tokens_by_kind(balanced(own, draw=np.random.default_rng(seed)))
    assert min(totals.values()) >= 0.98 * max(totals.values())


@pytest.mark.parametrize("sigma", [0.4, 0.8])
def test_few_and_uneven_groups_are_balanced_too(sigma: float):
    """The first order alone misses 2% in one of twenty sets (sigma 0.4) or one of seven (0.8), by up to 14%."""
    for seed in range(100):
        draw = np.random.default_rng(seed)
        sizes = np.maximum(1, 100 * np.exp(sigma * draw.normal(size=28))).astype(int).tolist()
        own = [group("a" if i < 20 else "b", i, size) for i, size in enumerate(sizes)]
        assert gap(tokens_by_kind(balanced(own, draw=draw))) <= TOLERANCE, seed


def test_an_unlucky_order_is_not_the_last_word():
    """100 are missing: of 60, 50 and 50 the order that begins with 60 takes 110."""
    own = [group("a", 9, 260), *(group("b", i, size) for i, size in enumerate([60, 50, 50]))]
    for seed in range(20):
        assert tokens_by_kind(balanced(own, draw=np.random.default_rng(seed))) == {"a": 260, "b": 260}


def test_a_gap_that_groups_do_not_close_is_told(caplog: pytest.LogCaptureFixture):
    Plan(entries({"find": (10, 40), "list": (2, 150)}), config=TrainConfig(epochs=3))  # 800 and twice 300
    (record,) = caplog.records
    assert "task 'find' has 11.1% fewer training tokens than 'list' in epoch 1" in record.getMessage()
    assert 'balance = "none"' in record.getMessage()
    caplog.clear()
    Plan(entries({"find": (60, 40), "list": (20, 30)}), config=TrainConfig())
    Plan(entries({"find": (10, 40), "list": (2, 150)}), config=TrainConfig(balance="none"))
    assert not caplog.records


def test_every_group_is_there_and_none_much_oftener_than_another():
    own = [group("a", i, 50) for i in range(40)] + [group("b", 100 + i, 50) for i in range(15)]
    drawn = balanced(own, draw=np.random.default_rng(0))
    counts = Counter(item.positions[0] for item in drawn)
    assert set(counts) == {item.positions[0] for item in own}
    assert {counts[i] for i in range(40)} == {1}
    assert {counts[100 + i] for i in range(15)} == {2, 3}


def test_one_task_is_left_as_it_is():
    own = [group("", i, 7) for i in range(5)]
    assert balanced(own, draw=np.random.default_rng(0)) == own


def test_an_epoch_of_a_plan_is_balanced_and_whole_groups_are_repeated():
    rows = entries({"find": (60, 40), "list": (20, 30)})
    plan = Plan(rows, config=TrainConfig(epochs=2, batch_rollouts=16))
    assert plan.tokens_by_kind["find"] == 4800
    assert plan.tokens_by_kind["list"] == pytest.approx(4800, rel=0.02)
    seen = Counter(i for step in plan.steps() if step.epoch == 0 for i in step.positions)
    assert all(seen[2 * i] == seen[2 * i + 1] for i in range(80))
    assert len(groups_of(rows)) == 80


def test_balancing_can_be_turned_off():
    rows = entries({"find": (60, 40), "list": (20, 30)})
    assert Plan(rows, config=TrainConfig(balance="none")).tokens_by_kind == {"find": 4800, "list": 1200}
