"""The local engine against the plain model: same log-probs, whatever is cached, grown, evicted or shared."""

from __future__ import annotations

import asyncio

import pytest

from agents.engines.local import LocalEngine
from tests.agents.local.kit import MODELS, VOCAB, assert_agrees, qwen, random_prompt, request, soon


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
async def test_log_probs_of_many_turns_agree_with_the_plain_model(make):
    """Ragged conversations in parallel, more than rows, a cache that must grow, prompts that extend what was said."""
    plain, opened = make(), LocalEngine(make(), max_rows=3, capacity=8)

    async def converse(number: int) -> None:
        prompt = random_prompt(3 + 5 * number, seed=number)
        for turn in range(3):
            generation = await opened.generate(
                request(prompt, session=f"s{number}", tokens=2 + (number + turn) % 5, seed=100 * number + turn)
            )
            assert_agrees(plain, prompt, generation)
            prompt = [*prompt, *generation.token_ids, *random_prompt(1 + (7 * number + turn) % 9, seed=turn)]

    try:
        await soon(asyncio.gather(*(converse(number) for number in range(8))))
    finally:
        await soon(opened.aclose())


async def test_an_extended_prompt_computes_only_what_is_new(engine: LocalEngine):
    prompt = random_prompt(30, seed=1)
    first = await soon(engine.generate(request(prompt, session="s", tokens=4)))
    before = engine.tokens_computed
    longer = [*prompt, *first.token_ids, *random_prompt(5, seed=2)]
    again = await soon(engine.generate(request(longer, session="s", tokens=1)))
    assert engine.tokens_computed - before == 1 + 5  # the last sampled token never went through the model
    assert_agrees(qwen(), longer, again)


@pytest.mark.parametrize("kept", [0, 1, 17, 29])
async def test_of_a_changed_prompt_the_common_start_counts(engine: LocalEngine, kept: int):
    prompt = random_prompt(30, seed=1)
    await soon(engine.generate(request(prompt, session="s", tokens=4)))
    changed = [*prompt[:kept], *((token + 1) % VOCAB for token in prompt[kept : kept + 9])]
    before = engine.tokens_computed
    generation = await soon(engine.generate(request(changed, session="s", tokens=6)))
    assert engine.tokens_computed - before == len(changed) - kept + 5
    assert_agrees(qwen(), changed, generation)


async def test_the_same_prompt_again_gives_the_same(engine: LocalEngine):
    asked = request(random_prompt(12, seed=3), session="s", seed=9)
    first, again = await soon(engine.generate(asked)), await soon(engine.generate(asked))
    assert again.token_ids == first.token_ids
    assert again.logprobs == pytest.approx(first.logprobs, abs=1e-4)


async def test_evicted_conversations_are_computed_anew(engine: LocalEngine):
    """Four rows, nine conversations one after another, then the first one goes on."""
    prompts = [random_prompt(6 + n, seed=n) for n in range(9)]
    for number, prompt in enumerate(prompts):
        await soon(engine.generate(request(prompt, session=f"s{number}", tokens=3)))
    before = engine.tokens_computed
    generation = await soon(engine.generate(request(prompts[0], session="s0", tokens=3)))
    assert engine.tokens_computed - before == len(prompts[0]) + 2
    assert_agrees(qwen(), prompts[0], generation)
