"""The bench of the value model: votes from pools of attempts at equal sampled tokens."""

from __future__ import annotations

import pytest

from karl.benches.value_votes import STRATEGIES, Drawn, bootstrap, compare, voted


async def test_votes_by_number_weight_and_best() -> None:
    attempts = [
        Drawn("oslo", 1.0, 0.9, 10),
        Drawn("rome", 0.0, 0.2, 10),
        Drawn("Rome", 0.0, 0.2, 10),
        Drawn("", 0.0, 1.0, 10),
    ]
    assert [await voted(attempts, strategy) for strategy in STRATEGIES] == [0.0, 1.0, 1.0]
    assert await voted([Drawn("", 0.0, None, 5)], "majority") == 0.0


async def test_parallel_attempts_cost_at_least_as_many_tokens() -> None:
    guided = [Drawn("oslo", 1.0, 0.9, 25)] * 4
    parallel = [Drawn("rome", 0.0, 0.5, 10)] * 9
    found = await compare(guided, parallel, searches=2, seed=0)
    assert (found.guided, found.parallel) == ((1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    assert (found.guided_tokens, found.parallel_tokens, found.parallel_attempts) == (50, 50, 5)
    short = await compare(guided, parallel[:3], searches=2, seed=0)
    assert (short.parallel_tokens, short.parallel_attempts) == (30, 3)  # the pool is too small: shown, not hidden


async def test_every_order_of_a_pool_counts() -> None:
    guided = [Drawn("oslo", 1.0, 0.9, 10), Drawn("rome", 0.0, 0.9, 10)]
    found = await compare(guided, guided, searches=1, seed=0)
    assert 0.2 < found.guided[0] < 0.8


def test_bootstrap_interval_of_a_known_sample() -> None:
    found = bootstrap([0.0, 1.0] * 200, seed=0)
    assert found["mean"] == 0.5
    # Normal approximation: 0.5 +- 1.96 * 0.5 / sqrt(400)
    assert (found["low"], found["high"]) == pytest.approx((0.451, 0.549), abs=0.006)
    assert bootstrap([0.25] * 9, seed=1) == {"mean": 0.25, "low": 0.25, "high": 0.25}
