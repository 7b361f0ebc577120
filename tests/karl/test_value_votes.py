"""The bench of the value model: votes from pools of attempts at equal sampled tokens."""

from __future__ import annotations

from karl.benches.value_votes import SHUFFLES, STRATEGIES, Drawn, compare, voted


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
    assert found.short_draws == 0
    short = await compare(guided, parallel[:3], searches=2, seed=0)
    # The pool is too small: shown, not hidden.
    assert (short.parallel_tokens, short.parallel_attempts, short.short_draws) == (30, 3, SHUFFLES)


async def test_guided_draws_are_the_same_against_every_parallel_pool() -> None:
    guided = [Drawn("oslo", float(n % 2), n / 9, 10 + n) for n in range(8)]
    against = [[Drawn("rome", 0.0, 0.5, 10)] * count for count in (24, 23)]
    one, other = [await compare(guided, parallel, searches=1, seed=0) for parallel in against]
    assert (one.guided, one.guided_tokens) == (other.guided, other.guided_tokens)


async def test_every_order_of_a_pool_counts() -> None:
    guided = [Drawn("oslo", 1.0, 0.9, 10), Drawn("rome", 0.0, 0.9, 10)]
    found = await compare(guided, guided, searches=1, seed=0)
    assert 0.2 < found.guided[0] < 0.8
