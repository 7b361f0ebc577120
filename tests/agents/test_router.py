"""The router over wire doubles: where requests go, what happens when servers die, hang, refuse or come back."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from agents.engines.base import GenerateRequest, SamplingParams, StreamingEngine, joined
from agents.engines.router import TokenRouter
from agents.engines.settings import EndpointSettings, RouterSettings
from agents.engines.vllm import VllmEngine
from agents.errors import EndpointError, EngineError
from store.errors import UsageError
from tests.wire_double import CUT, Answer, Double, chunks, completion, double

QUICK: dict[str, Any] = {"backoff_seconds": 0.01, "cool_down_seconds": 0.02, "longest_cool_down": 0.05}


def request(session: str = "", *, seed: int = 9, fork_of: str = "") -> GenerateRequest:
    return GenerateRequest([5, 6, 7], SamplingParams(max_tokens=4, stop_ids=(2,), seed=seed), session, fork_of)


def router(*doubles: Double, say: Any = None, **changes: Any) -> TokenRouter:
    endpoints = [VllmEngine(EndpointSettings(base_url=one.url, model="m", timeout_seconds=5.0)) for one in doubles]
    return TokenRouter(endpoints, RouterSettings(**{**QUICK, **changes}), say=say)


def plain(body: dict[str, Any]) -> Answer:
    return completion([8, 2])


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Double, Double]]:
    async with double(plain, models=("m",)) as one, double(plain, models=("m",)) as other:
        yield one, other


async def test_wire_double_a_session_stays_and_its_forks_with_it(pair: tuple[Double, Double]) -> None:
    routed = router(*pair)
    forks = {"a": "", "b": "", "a-1": "a", "b-1": "b", "b-2": "b"}
    for turn in range(5):
        for session, origin in forks.items():
            await routed.generate(request(session, seed=turn, fork_of=origin))
    assert [len(one.seen) for one in pair] == [10, 15]
    assert [stats.sessions for stats in routed.stats()] == [2, 3]
    for session in [*forks, "never seen"]:
        routed.release(session)
    assert [stats.sessions for stats in routed.stats()] == [0, 0]
    await routed.aclose()


async def test_wire_double_new_sessions_go_to_the_least_busy() -> None:
    gate = asyncio.Event()

    async def slow(body: dict[str, Any]) -> Answer:
        await gate.wait()
        return completion([8, 2])

    async with double(slow) as one, double(slow) as other, double(slow) as third:
        routed = router(one, other, third)
        running = [asyncio.create_task(routed.generate(request(f"s{n}/1"))) for n in range(30)]
        while sum(len(server.seen) for server in (one, other, third)) < 30:
            await asyncio.sleep(0.001)
        assert [stats.in_flight for stats in routed.stats()] == [10, 10, 10]
        gate.set()
        await asyncio.gather(*running)
        assert [(stats.requests, stats.in_flight, stats.failures) for stats in routed.stats()] == [(10, 0, 0)] * 3
        await routed.aclose()


async def test_wire_double_no_endpoint_is_asked_more_at_once_than_its_limit() -> None:
    now, most = Counter[str](), Counter[str]()

    async def count(body: dict[str, Any]) -> Answer:
        now["all"] += 1
        most["all"] = max(most["all"], now["all"])
        await asyncio.sleep(0.002)
        now["all"] -= 1
        return completion([8, 2])

    async with double(count) as one:
        routed = router(one, concurrency=3)
        await asyncio.gather(*(routed.generate(request(f"s{n}")) for n in range(20)))
        assert most["all"] == 3 and len(one.seen) == 20
        await routed.aclose()


async def test_wire_double_one_endpoint_dies_in_mid_flight(pair: tuple[Double, Double]) -> None:
    one, other = pair
    gate, said = asyncio.Event(), list[str]()

    async def never(body: dict[str, Any]) -> Answer:
        await gate.wait()
        return CUT

    one.answer = never
    routed = router(one, other, say=said.append)
    running = [asyncio.create_task(routed.generate(request(f"s{n}/1", seed=n))) for n in range(8)]
    while len(one.seen) + len(other.seen) < 8:
        await asyncio.sleep(0.001)
    one.kill()
    generations = await asyncio.gather(*running)
    assert [generation.token_ids for generation in generations] == [[8, 2]] * 8
    # Each of the four lost requests arrived again as it was, with its seed.
    assert sorted(body["seed"] for body in other.seen) == list(range(8))
    assert {body["seed"] for body in one.seen} <= {body["seed"] for body in other.seen}
    dead, alive = routed.stats()
    assert dead.failures == 4 and dead.left_out and alive.failures == 0 and alive.sessions == 8 and dead.sessions == 0
    assert len(said) == 1 and f"{one.url} is left out" in said[0]
    gate.set()
    await routed.aclose()


async def test_wire_double_a_dead_endpoint_is_probed_and_taken_back(pair: tuple[Double, Double]) -> None:
    one, other = pair
    said: list[str] = []
    routed = router(one, other, say=said.append)
    one.kill()
    for n in range(6):
        await routed.generate(request(f"s{n}"))
    assert len(one.seen) == 0 and len(other.seen) == 6 and routed.stats()[0].failures == 1
    await one.start()
    for n in range(40):
        await routed.generate(request(f"t{n}"))
        await asyncio.sleep(0.005)
    assert len(one.seen) > 10 and routed.stats()[0].left_out == ""
    assert said[-1] == f"{one.url} is back" and len(said) == 2
    await routed.aclose()


async def test_wire_double_an_endpoint_that_comes_back_with_other_weights_stays_out(
    pair: tuple[Double, Double],
) -> None:
    one, other = pair
    routed = router(one, other)
    one.kill()
    await routed.generate(request("a"))
    one.models = ("another",)
    await one.start()
    for n in range(20):
        await routed.generate(request(f"t{n}"))
        await asyncio.sleep(0.005)
    assert one.seen == [] and "serves another, not m" in routed.stats()[0].left_out
    await routed.aclose()


async def test_wire_double_both_down_is_an_error_and_recovery_needs_nothing(pair: tuple[Double, Double]) -> None:
    routed = router(*pair, retries=3)
    for one in pair:
        one.kill()
    began = time.perf_counter()
    with pytest.raises(EndpointError, match=r"endpoint down: http://127\.0\.0\.1:.*karl doctor"):
        await routed.generate(request("a"))
    assert time.perf_counter() - began < 2.0
    for one in pair:
        await one.start()
    await asyncio.sleep(0.06)
    assert (await routed.generate(request("a"))).token_ids == [8, 2]
    await routed.aclose()


async def test_wire_double_a_server_that_restarts_is_waited_for() -> None:
    async with double(plain, models=("m",)) as one:
        routed = router(one, retries=8)
        one.kill()
        waiting = [asyncio.create_task(routed.generate(request(f"s{n}"))) for n in range(5)]
        await asyncio.sleep(0.1)
        await one.start()
        assert [generation.token_ids for generation in await asyncio.gather(*waiting)] == [[8, 2]] * 5
        await routed.aclose()


async def test_wire_double_a_flapping_endpoint_costs_tries_not_answers(pair: tuple[Double, Double]) -> None:
    one, other = pair
    routed = router(one, other)

    async def flap() -> None:
        for _ in range(4):
            one.kill()
            await asyncio.sleep(0.03)
            await one.start()
            await asyncio.sleep(0.15)  # long enough for the longest cool-down and a probe

    flapping, answered = asyncio.create_task(flap()), 0
    while not flapping.done():
        generations = await asyncio.gather(*(routed.generate(request(f"s{answered}-{n}")) for n in range(4)))
        answered += sum(generation.token_ids == [8, 2] for generation in generations)
        await asyncio.sleep(0.002)
    assert len(one.seen) > 0 and len(one.seen) + len(other.seen) >= answered >= 20
    assert routed.stats()[0].failures > 0
    await routed.aclose()


async def test_wire_double_a_server_that_is_busy_is_left_alone_as_long_as_it_says(pair: tuple[Double, Double]) -> None:
    one, other = pair
    answers = iter([Answer(429, {}, {"Retry-After": "2"})])
    one.answer = lambda body: next(answers, None) or completion([8, 2])
    routed = router(one, other)
    for n in range(6):
        await routed.generate(request(f"s{n}"))
    assert (len(one.seen), len(other.seen)) == (1, 6)
    assert routed.stats()[0].failures == 0 and routed.stats()[0].left_out == ""
    await asyncio.sleep(2)
    await routed.generate(request("later"))
    assert len(one.seen) == 2
    await routed.aclose()


async def test_wire_double_one_busy_server_is_waited_for() -> None:
    answers = iter([Answer(429, {}, {"Retry-After": "0.2"}), Answer(503, {}, {"Retry-After": "0.1"})])
    async with double(lambda body: next(answers, None) or completion([8], "length")) as one:
        routed = router(one)
        began = time.perf_counter()
        generation = await routed.generate(request())
        assert time.perf_counter() - began >= 0.3
        assert generation.finish_reason == "length" and one.seen[0] == one.seen[1] == one.seen[2]
        await routed.aclose()


async def test_wire_double_retries_end_and_the_last_error_is_told() -> None:
    async with double(lambda body: Answer(500, {"error": "boom"}), models=("m",)) as one:
        routed = router(one, retries=2, strikes=10)
        with pytest.raises(EndpointError, match=r"refused with status 500.*boom"):
            await routed.generate(request())
        assert len(one.seen) == 3 and routed.stats()[0].failures == 3
        await routed.aclose()


async def test_wire_double_a_refused_request_is_no_fault_of_the_endpoint(pair: tuple[Double, Double]) -> None:
    pair[0].answer = lambda body: Answer(400, {"error": "too long"})
    routed = router(*pair)
    with pytest.raises(EngineError, match=r"refused with status 400.*too long"):
        await routed.generate(request("a"))
    assert [len(one.seen) for one in pair] == [1, 0] and routed.stats()[0].failures == 0
    await routed.aclose()


async def test_wire_double_a_cancelled_request_frees_its_slot() -> None:
    async def hang(body: dict[str, Any]) -> Answer:
        await asyncio.sleep(30 if body["seed"] == 1 else 0)
        return completion([8, 2])

    async with double(hang) as one:
        routed = router(one, concurrency=1)
        stuck = asyncio.create_task(routed.generate(request("a", seed=1)))
        while not one.seen:
            await asyncio.sleep(0.001)
        stuck.cancel()
        await asyncio.gather(stuck, return_exceptions=True)
        assert (await asyncio.wait_for(routed.generate(request("b")), 5)).token_ids == [8, 2]
        assert routed.stats()[0].in_flight == 0 and routed.stats()[0].failures == 0
        await routed.aclose()


async def test_closing_leaves_no_probe_behind() -> None:
    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with double(plain) as one:
        one.kill()
        routed = router(one, retries=0)
        with pytest.raises(EndpointError):
            await routed.generate(request())
        hanging = await asyncio.start_server(never, "127.0.0.1", one.port)
        await asyncio.sleep(0.03)
        asked = asyncio.create_task(routed.generate(request()))
        await asyncio.sleep(0.03)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        await routed.aclose()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        hanging.close()
        await one.start()


async def streamed(routed: TokenRouter) -> list[list[int]]:
    async with aclosing(routed.stream(request("a/1"))) as stream:
        deltas = [delta async for delta in stream]
    assert joined(deltas).finish_reason == "stop" and joined(deltas).logprobs == [-0.25] * len(joined(deltas).token_ids)
    return [delta.token_ids for delta in deltas]


async def test_wire_double_a_broken_stream_goes_on_where_it_was(pair: tuple[Double, Double]) -> None:
    one, other = pair
    one.answer = lambda body: Answer(200, chunks([8, 9], [7], finish=None))
    other.answer = lambda body: Answer(200, chunks([8], [9, 7, 6], [2]))
    routed = router(one, other)
    assert isinstance(routed, StreamingEngine)
    assert await streamed(routed) == [[8, 9], [7], [6], [2]]
    assert [len(server.seen) for server in pair] == [1, 1] and one.seen == other.seen
    await routed.aclose()


async def test_wire_double_a_repetition_that_differs_is_refused(pair: tuple[Double, Double]) -> None:
    pair[0].answer = lambda body: Answer(200, chunks([8, 9], finish=None))
    pair[1].answer = lambda body: Answer(200, chunks([8, 5], [2]))
    routed = router(*pair)
    with pytest.raises(EngineError, match="broke off after 2 tokens, and its repetition took another course"):
        await streamed(routed)
    await routed.aclose()


def test_a_router_needs_an_endpoint() -> None:
    with pytest.raises(UsageError, match="at least one endpoint"):
        TokenRouter([])
