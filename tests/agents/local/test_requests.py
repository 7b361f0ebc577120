"""Requests that go wrong, are given up, or outlive their loop: none disturbs another."""

from __future__ import annotations

import asyncio
import time

import pytest
import torch

from agents.engines.base import GenerateRequest, Generation
from agents.engines.local import LocalEngine
from agents.errors import EngineError
from tests.agents.local.kit import VOCAB, Gate, assert_agrees, idle, qwen, random_prompt, request, soon


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (request([]), "empty prompt"),
        (request([1, VOCAB]), f"0 to {VOCAB - 1}"),
        (request([-1]), "token ids"),
        (request([1], tokens=0), "max_tokens=0"),
        (request([1], temperature=-1.0), "temperature"),
        (request([1], top_p=0.0), "top_p"),
    ],
)
async def test_a_bad_request_fails_alone(engine: LocalEngine, wrong: GenerateRequest, said: str):
    good = asyncio.ensure_future(engine.generate(request([1, 2, 3], tokens=20)))
    with pytest.raises(EngineError, match=said):
        await soon(engine.generate(wrong))
    assert len((await soon(good)).token_ids) == 20


async def test_cancelling_a_waiting_request_leaves_the_others_alone(engine: LocalEngine):
    prompts = [random_prompt(5 + n, seed=n) for n in range(7)]
    gate = Gate(engine)
    tasks = [asyncio.ensure_future(engine.generate(request(p, session=str(n)))) for n, p in enumerate(prompts)]
    await gate.running()  # four are computed, three wait
    tasks[5].cancel()
    gate.passing.set()
    ended = await soon(asyncio.gather(*tasks, return_exceptions=True))
    assert isinstance(ended[5], asyncio.CancelledError)
    for number in (0, 1, 2, 3, 4, 6):
        assert_agrees(qwen(), prompts[number], ended[number])
    assert engine.tokens_sampled == 6 * 8


async def test_cancelling_a_running_request_frees_its_row(engine: LocalEngine):
    gate = Gate(engine)
    long = [asyncio.ensure_future(engine.generate(request([n, 3], tokens=10_000, session=str(n)))) for n in range(4)]
    await gate.running()
    gate.passing.set()
    waiting = asyncio.ensure_future(engine.generate(request([9, 8, 7], tokens=5)))
    long[2].cancel()
    assert_agrees(qwen(), [9, 8, 7], await soon(waiting))
    assert not any(task.done() for task in (long[0], long[1], long[3]))
    for task in long:
        task.cancel()
    await soon(asyncio.gather(*long, return_exceptions=True))
    await idle(engine)


async def test_releasing_a_running_conversation_frees_it_afterwards(engine: LocalEngine):
    gate = Gate(engine)
    running = asyncio.ensure_future(engine.generate(request([5, 6, 7], session="s", tokens=6)))
    await gate.running()
    engine.release("s")
    engine.release("never heard of")
    gate.passing.set()
    assert_agrees(qwen(), [5, 6, 7], await soon(running))
    await idle(engine)
    assert engine._worker.rows.held == 0 and engine._worker.rows._by_session == {}


async def test_an_idle_engine_computes_nothing(engine: LocalEngine):
    """Waiting must block: an engine that polls would eat a core."""
    await soon(engine.generate(request([1, 2])))
    engine.release("nobody")
    await asyncio.sleep(0.05)
    began = time.process_time()
    await asyncio.sleep(0.4)
    assert time.process_time() - began < 0.1


async def test_a_failing_model_is_an_engine_error_and_the_engine_goes_on(engine: LocalEngine):
    gate = Gate(engine)
    tasks = [asyncio.ensure_future(engine.generate(request([n, 2], session=str(n)))) for n in range(6)]
    await gate.running()
    gate.error = RuntimeError("out of everything")
    gate.passing.set()
    ended = await soon(asyncio.gather(*tasks, return_exceptions=True))
    failed = [end for end in ended if isinstance(end, EngineError)]
    assert failed  # the batch under way; how many it holds depends on who arrived before it began
    assert all(isinstance(end, EngineError | Generation) for end in ended)
    assert all("RuntimeError: out of everything" in str(error) for error in failed)
    assert len({id(error) for error in failed}) == len(failed)
    assert isinstance(failed[0].__cause__, RuntimeError)
    assert_agrees(qwen(), [1, 2], await soon(engine.generate(request([1, 2], session="1"))))


async def test_output_that_is_not_finite_is_never_sampled_from(engine: LocalEngine):
    with torch.no_grad():
        engine._cached.head.weight[3] = float("nan")
    with pytest.raises(EngineError, match="not finite"):
        await soon(engine.generate(request([1, 2])))


async def test_closing_with_requests_under_way(engine: LocalEngine):
    gate = Gate(engine)
    tasks = [asyncio.ensure_future(engine.generate(request([n, 2], tokens=10_000))) for n in range(6)]
    await gate.running()
    gate.passing.set()
    await soon(engine.aclose())
    ended = await soon(asyncio.gather(*tasks, return_exceptions=True))
    assert all(isinstance(end, EngineError) and "closed" in str(end) for end in ended)
    with pytest.raises(EngineError, match="closed"):
        await soon(engine.generate(request([1])))


def test_two_event_loops_one_after_another():
    """The first loop ends with a request under way, as after Ctrl-C; its engine must not care."""
    opened, plain = LocalEngine(qwen(), max_rows=4), qwen()

    async def leave_behind() -> None:
        work = asyncio.ensure_future(opened.generate(request([4, 4], tokens=10_000, session="left")))
        while not opened.tokens_sampled:
            await asyncio.sleep(0.001)
        assert not work.done()

    async def ask() -> Generation:
        return await soon(opened.generate(request([7, 8], session="s")))

    asyncio.run(leave_behind())
    assert_agrees(plain, [7, 8], asyncio.run(ask()))
    assert_agrees(plain, [7, 8], asyncio.run(ask()))
    asyncio.run(opened.aclose())
