"""Draws: by the seed alone, from the distribution that the request asks for, until it ends."""

from __future__ import annotations

import asyncio

import pytest
import torch

from agents.engines.base import SamplingParams
from agents.engines.local import LocalEngine
from agents.engines.local.sampling import draw
from tests.agents.local.kit import qwen, random_prompt, request, soon


async def test_a_seed_decides_whatever_else_runs(engine: LocalEngine):
    asked = request(random_prompt(9, seed=5), tokens=12, seed=42)
    alone = await soon(engine.generate(asked))
    crowd = [request(random_prompt(4 + n, seed=n), tokens=3 + n, seed=n) for n in range(9)]
    among = await soon(asyncio.gather(*map(engine.generate, [*crowd[:5], asked, *crowd[5:]])))
    assert among[5].token_ids == alone.token_ids
    assert among[5].logprobs == pytest.approx(alone.logprobs, abs=1e-4)
    other = await soon(engine.generate(request(random_prompt(9, seed=5), tokens=12, seed=43)))
    assert other.token_ids != alone.token_ids


async def test_greedy_takes_the_likeliest(engine: LocalEngine):
    prompt = random_prompt(10, seed=6)
    generation = await soon(engine.generate(request(prompt, tokens=5, temperature=0.0)))
    plain, said = qwen(), list(prompt)
    for token in generation.token_ids:
        with torch.no_grad():
            assert int(plain(input_ids=torch.tensor([said])).logits[0, -1].argmax()) == token
        said.append(token)


async def test_stops_at_a_stop_id_and_at_max_tokens(engine: LocalEngine):
    prompt = random_prompt(10, seed=7)
    free = await soon(engine.generate(request(prompt, tokens=12, seed=1)))
    assert (len(free.token_ids), free.finish_reason) == (12, "length")
    stop = free.token_ids[4]
    length = free.token_ids.index(stop) + 1
    stopped = await soon(engine.generate(request(prompt, tokens=12, seed=1, stop_ids=(stop,))))
    assert (stopped.token_ids, stopped.finish_reason) == (free.token_ids[:length], "stop")


def test_draws_follow_the_distribution():
    logits = torch.tensor([[0.0, 1.0, 2.0, -1.0]])
    count = 4000
    uniforms = [(n + 0.5) / count for n in range(count)]
    tokens = draw(logits.expand(count, 4), [SamplingParams(1, temperature=0.5)] * count, uniforms=uniforms)
    shares = torch.bincount(tokens, minlength=4) / count
    assert shares.tolist() == pytest.approx((logits[0] / 0.5).softmax(-1).tolist(), abs=1 / count)


def test_top_p_cuts_the_tail_of_its_own_row_only():
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log().expand(200, 4)
    settings = [SamplingParams(1, top_p=0.7 if n % 2 else 1.0) for n in range(200)]
    tokens = draw(logits, settings, uniforms=[(n + 0.5) / 200 for n in range(200)])
    assert set(tokens[1::2].tolist()) == {0, 1}
    assert set(tokens[::2].tolist()) == {0, 1, 2, 3}


def test_a_uniform_that_rounds_to_one_draws_no_excluded_token():
    logits = torch.tensor([[2.0, 1.0, -3.0]])
    almost = 1.0 - 2.0**-53
    assert draw(logits, [SamplingParams(1, top_p=0.5)], uniforms=[almost]).tolist() == [0]
