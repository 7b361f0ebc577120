"""A session that begins as another one does takes over its cache: same log-probs, less to compute."""

from __future__ import annotations

import asyncio

import pytest

from agents.engines.base import GenerateRequest, Generation, SamplingParams
from agents.engines.local import LocalEngine
from tests.agents.local.kit import Gate, assert_agrees, qwen, random_prompt, soon


def ask(prompt: list[int], session: str, *, fork_of: str = "", tokens: int = 4, seed: int = 0) -> GenerateRequest:
    return GenerateRequest(prompt, SamplingParams(max_tokens=tokens, seed=seed), session, fork_of)


async def test_candidates_of_a_cached_prompt_compute_only_what_is_new(engine: LocalEngine) -> None:
    prompt = random_prompt(30, seed=1)
    first = await soon(engine.generate(ask(prompt, "s")))
    longer = [*prompt, *first.token_ids, *random_prompt(5, seed=2)]
    before = engine.tokens_computed
    requests = [ask(longer, "s", seed=1), *(ask(longer, f"s/{n}", fork_of="s", seed=n) for n in (2, 3))]
    # All are there before one is begun: later ones would find more in the cache, and compute less.
    gate = Gate(engine)
    tasks = [asyncio.ensure_future(engine.generate(ask([1], "", tokens=1)))]
    await gate.running()
    tasks += [asyncio.ensure_future(engine.generate(request)) for request in requests]
    await asyncio.sleep(0)
    gate.passing.set()
    _, *drawn = await soon(asyncio.gather(*tasks))
    # Each: the last sampled token and the five new ones, then three of the four that are sampled.
    assert engine.tokens_computed - before == 1 + 3 * (1 + 5 + 3)
    for generation in drawn:
        assert_agrees(qwen(), longer, generation)


async def test_a_fork_goes_on_when_the_session_that_it_came_from_is_released(engine: LocalEngine) -> None:
    prompt = random_prompt(20, seed=3)
    await soon(engine.generate(ask(prompt, "s")))
    fork = await soon(engine.generate(ask(prompt, "s/1", fork_of="s", seed=5)))
    engine.release("s")
    before = engine.tokens_computed
    longer = [*prompt, *fork.token_ids, *random_prompt(2, seed=4)]
    again = await soon(engine.generate(ask(longer, "s/1", tokens=1)))
    assert engine.tokens_computed - before == 1 + 2
    assert_agrees(qwen(), longer, again)


@pytest.mark.parametrize("source", ["gone", "never-was", ""])
async def test_without_the_other_session_everything_is_computed(engine: LocalEngine, source: str) -> None:
    prompt = random_prompt(12, seed=6)
    for number in range(5):  # one more than rows: "gone" has left the cache
        name = "gone" if number == 0 else f"other-{number}"
        await soon(engine.generate(ask(random_prompt(9 + number, seed=number), name)))
    before = engine.tokens_computed
    generation = await soon(engine.generate(ask(prompt, "fork", fork_of=source)))
    assert engine.tokens_computed - before == len(prompt) + 3
    assert_agrees(qwen(), prompt, generation)


async def test_forks_of_a_session_that_is_being_sampled_agree_with_the_plain_model(engine: LocalEngine) -> None:
    """More candidates than rows, all of one prompt, none of it cached at first; then all go on at once."""
    prompt = random_prompt(17, seed=8)

    async def converse(number: int) -> list[Generation]:
        session, fork_of = ("s", "") if number == 0 else (f"s/{number}", "s")
        said, out = list(prompt), []
        for turn in range(3):
            drawn = await engine.generate(
                ask(said, session, fork_of=fork_of, tokens=2 + number, seed=10 * number + turn)
            )
            assert_agrees(qwen(), said, drawn)
            said = [*said, *drawn.token_ids, *random_prompt(1 + number, seed=turn)]
            out.append(drawn)
        return out

    drawn = await soon(asyncio.gather(*map(converse, range(6))))
    assert len({tuple(turns[0].token_ids) for turns in drawn}) > 1
