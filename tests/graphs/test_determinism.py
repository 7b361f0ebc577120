"""Same seed, same engine: byte-identical traces, whatever the order in which concurrent rollouts get their turns."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import asdict

import pytest

from agents.engines.base import GenerateRequest, Generation
from agents.policy import Policy
from graphs.state import RolloutInputs
from store.types import Hit, Purpose
from tests.graphs.small import small_runner
from tests.graphs.test_hot_loop import SQUEEZE, WORDS, timeless
from tests.harness_kit import NOTES, ListSearcher, scripted_policy

ROLLOUTS = 64


class Jitter:
    """Waits of random length, and the order in which requests were answered."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.order: list[str] = []

    async def wait(self, who: str) -> None:
        await asyncio.sleep(self._random.random() / 500)
        self.order.append(who)


class SlowSearcher(ListSearcher):
    def __init__(self, jitter: Jitter) -> None:
        super().__init__(NOTES)
        self._jitter = jitter

    async def search(self, query: str, k: int) -> list[Hit]:
        await self._jitter.wait(query)
        return await super().search(query, k)


def slow_policy(jitter: Jitter) -> Policy:
    async def respond(request: GenerateRequest) -> Generation:
        await jitter.wait(request.session)
        ids = [*policy.encode(WORDS[request.sampling.seed % len(WORDS)]), policy.stop_ids[0]]
        ids = ids[: request.sampling.max_tokens]
        return Generation(ids, [-(request.sampling.seed % 97) / 97] * len(ids), "stop")

    policy = scripted_policy(respond)
    return policy


async def traces(graph: str, *, jitter: Jitter) -> list[bytes]:
    """64 rollouts side by side; their records less what a clock said, as bytes."""
    runner = small_runner(graph, policy=slow_policy(jitter), searcher=SlowSearcher(jitter), plugins=PLUGINS)
    runs = [
        runner.run(RolloutInputs(f"question {index}?"), key=f"r{index}", purpose=Purpose.TRAIN, seed=index)
        for index in range(ROLLOUTS)
    ]
    return [json.dumps(asdict(timeless(record)), sort_keys=True).encode() for record in await asyncio.gather(*runs)]


PLUGINS = [{"kind": "tool_gate", "duplicate_queries": "refuse"}, *SQUEEZE]


@pytest.mark.parametrize("graph", ["solver", "aggregator", "value_guided_solver", "value_guided_search"])
async def test_traces_are_the_same_bytes_however_rollouts_interleave(graph: str) -> None:
    first, second = Jitter(1), Jitter(2)
    once, again = await traces(graph, jitter=first), await traces(graph, jitter=second)
    assert first.order != second.order and sorted(first.order) == sorted(second.order)
    assert once == again
    assert len(set(once)) == ROLLOUTS
