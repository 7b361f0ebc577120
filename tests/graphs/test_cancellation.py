"""A cancelled run leaves nothing behind: no task, no engine session; whatever kind of node it was in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from agents.engines.base import GenerateRequest
from agents.policy import Policy
from graphs.runner import GraphRunner
from graphs.state import RolloutInputs
from store.types import Hit, Purpose
from tests.graphs.small import small_runner
from tests.harness_kit import NOTES, ListSearcher, scripted_policy

QUESTION = RolloutInputs("where does mira work?")
GRAPHS = ["solver", "value_guided_solver", "value_guided_search", "aggregator", "qa_generator"]
SQUEEZE = [
    {"kind": "step_budget", "steps": 40},
    {"kind": "compression", "trigger_tokens": 120, "summary_tokens": 40},
]


class Halting:
    """Lets `calls` requests pass and holds the next ones for ever."""

    def __init__(self, calls: int) -> None:
        self.left = calls
        self.held = asyncio.Event()

    async def __call__(self) -> None:
        self.left -= 1
        if self.left < 0:
            self.held.set()
            await asyncio.Event().wait()


def halting_policy(halt: Halting) -> Policy:
    async def respond(request: GenerateRequest) -> str:
        await halt()
        return "<search>mira falcon</search>"

    return scripted_policy(respond)


async def cancel(runner: GraphRunner, halt: Halting, config: Any) -> None:
    task = asyncio.create_task(runner.run(QUESTION, key="r", purpose=Purpose.TRAIN, seed=0, config=config))
    await asyncio.wait_for(halt.held.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def nothing_left(before: set[asyncio.Task[Any]], policy: Policy) -> None:
    await asyncio.sleep(0)
    engine: Any = policy.engine
    assert asyncio.all_tasks() <= before
    assert engine.requests and {request.session for request in engine.requests} <= set(engine.released)


@pytest.mark.parametrize("config", [None, {"tags": ["node by node"]}], ids=["fused", "by node"])
@pytest.mark.parametrize("calls", [0, 1, 4, 9])
@pytest.mark.parametrize("graph", GRAPHS)
async def test_while_the_engine_is_asked(graph: str, calls: int, config: Any) -> None:
    before, halt = asyncio.all_tasks(), Halting(calls)
    policy = halting_policy(halt)
    await cancel(small_runner(graph, policy=policy, plugins=SQUEEZE), halt, config)
    await nothing_left(before, policy)


@pytest.mark.parametrize("graph", GRAPHS)
async def test_while_a_tool_is_at_work(graph: str) -> None:
    before, halt = asyncio.all_tasks(), Halting(2)

    class Searcher(ListSearcher):
        async def search(self, query: str, k: int) -> list[Hit]:
            await halt()
            return await super().search(query, k)

    policy = scripted_policy(lambda request: "<search>mira</search>")
    await cancel(small_runner(graph, policy=policy, searcher=Searcher(NOTES), plugins=SQUEEZE), halt, None)
    await nothing_left(before, policy)


@pytest.mark.parametrize("graph", GRAPHS)
async def test_when_time_is_up(graph: str) -> None:
    before, halt = asyncio.all_tasks(), Halting(2)
    policy = halting_policy(halt)
    runner = small_runner(graph, policy=policy, limits={"seconds": 0.2})
    record = await runner.run(QUESTION, key="r", purpose=Purpose.TRAIN, seed=0)
    assert record.failure is not None and record.failure.kind == "timeout"
    await nothing_left(before, policy)


async def test_many_at_once_and_the_others_go_on() -> None:
    before = asyncio.all_tasks()
    gate = asyncio.Event()

    async def respond(request: GenerateRequest) -> str:
        await gate.wait()
        return "<answer>oslo</answer>"

    policy = scripted_policy(respond)
    runner = small_runner("solver", policy=policy)
    make: Callable[[int], Any] = lambda n: runner.run(QUESTION, key=f"r{n}", purpose=Purpose.TRAIN, seed=n)  # noqa: E731
    tasks = [asyncio.create_task(make(n)) for n in range(32)]
    await asyncio.sleep(0.05)
    for task in tasks[::2]:
        task.cancel()
    gate.set()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(one, asyncio.CancelledError) for one in done[::2])
    assert all(not isinstance(one, BaseException) and one.answer == "oslo" for one in done[1::2])
    await nothing_left(before, policy)
