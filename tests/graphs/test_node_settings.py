"""Sampling and limits of one node: laid over the graph's, seen by the engine, ended in time."""

from __future__ import annotations

import asyncio
from typing import Any

from agents.engines.base import GenerateRequest
from graphs.schema import load_spec
from graphs.state import RolloutInputs
from store.types import FailureKind, Purpose, RolloutRecord, RolloutStatus
from tests.graphs.small import small_runner
from tests.harness_kit import NOTES, ListSearcher, scripted_policy, text_policy

QUESTION = RolloutInputs(question="where does mira work?")


async def run(runner: Any, **given: Any) -> RolloutRecord:
    return await runner.run(QUESTION, key="r", purpose=Purpose.ASK, seed=1, **given)


async def test_a_nodes_sampling_lies_over_the_graphs() -> None:
    policy = text_policy("[1] <answer>oslo</answer>")
    own = {"think": {"sampling": {"max_tokens": 40, "temperature": 0.25}}}
    runner = small_runner("solver", policy=policy, sampling={"top_p": 0.9}, nodes=own)
    await run(runner, temperature=0.5)
    sampling = policy.engine.requests[0].sampling  # type: ignore[attr-defined]
    assert (sampling.max_tokens, sampling.temperature, sampling.top_p) == (40, 0.25, 0.9)


async def test_other_nodes_keep_the_rollouts_temperature() -> None:
    def respond(request: GenerateRequest) -> str:
        text = policy.decode(list(request.prompt_ids))
        if text.endswith("summarise<|end|><|assistant|>"):
            return "so far: mira"
        return "[1] <answer>oslo</answer>" if "so far" in text else "<search>mira falcon orion</search>"

    policy = scripted_policy(respond)
    plugins = [
        {"kind": "step_budget", "steps": 6},
        {"kind": "compression", "trigger_tokens": 60, "summary_tokens": 30},
    ]
    own = {"compress": {"sampling": {"temperature": 0.0, "max_tokens": 20}}}
    record = await run(small_runner("solver", policy=policy, plugins=plugins, nodes=own), temperature=0.5)
    asked = [request.sampling for request in policy.engine.requests]  # type: ignore[attr-defined]
    assert [step.kind for step in record.steps][:2] == ["search", "compress"]
    assert [(s.temperature, s.max_tokens) for s in asked][:3] == [(0.5, 96), (0.0, 20), (0.5, 96)]


async def test_a_node_that_takes_too_long_fails_the_rollout_by_its_name() -> None:
    class Slow(ListSearcher):
        async def search(self, query: str, k: int) -> Any:
            await asyncio.sleep(5)

    policy = text_policy("<search>mira</search>", "[1] <answer>oslo</answer>")
    own = {"search": {"limits": {"seconds": 0.05}}}
    record = await run(small_runner("solver", policy=policy, searcher=Slow(NOTES), nodes=own))
    assert record.status is RolloutStatus.FAILED and record.failure is not None
    assert record.failure.kind is FailureKind.TIMEOUT
    assert record.failure.reason == "node 'search' took more than 0.05 s"


def test_settings_of_a_node_count_in_the_hash() -> None:
    plain = load_spec("solver")
    warm = load_spec("solver", changes={"nodes": {"compress": {"sampling": {"temperature": 0.3}}}})
    assert plain.sha256 != warm.sha256
    assert warm.sampling_of(warm.nodes["compress"]).temperature == 0.3
    assert warm.sampling_of(warm.nodes["think"]) == plain.sampling
