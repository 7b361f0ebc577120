"""Loops as one LangGraph node: which there are, and that rollouts are the same as node by node."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from typing import Any

import pytest

from agents.engines.base import GenerateRequest, Generation
from agents.policy import Policy
from graphs.hot_loop import find_loops
from graphs.runner import GraphRunner
from graphs.schema import load_spec, parse_spec
from graphs.state import GraphState, RolloutInputs
from store.types import Purpose, RolloutRecord, RolloutStatus, StepKind
from tests.graphs.small import small_runner
from tests.harness_kit import NOTES, ListSearcher, scripted_policy

QUESTION = RolloutInputs("where does mira work?")
WORDS = (
    "<search>mira</search>",
    "hm",
    "<search>falcon orion</search>",
    "<search>lima</search>",
    "[1] <answer>oslo</answer>",
)
SQUEEZE = [
    {"kind": "step_budget", "steps": 8},
    {"kind": "compression", "trigger_tokens": 150, "summary_tokens": 40},
    {"kind": "token_budget", "tokens": 300},
]


def drawing_policy(*, delay: float = 0.0) -> Policy:
    """Draws every turn by the request's seed; with `delay`, after a wait that depends on it too."""

    async def respond(request: GenerateRequest) -> Generation:
        await asyncio.sleep(delay * (request.sampling.seed % 7))
        ids = [*policy.encode(WORDS[request.sampling.seed % len(WORDS)]), policy.stop_ids[0]]
        ids = ids[: request.sampling.max_tokens]
        return Generation(ids, [-(request.sampling.seed % 97) / 97] * len(ids), "stop")

    policy = scripted_policy(respond)
    return policy


def timeless(record: RolloutRecord) -> RolloutRecord:
    steps = [
        dataclasses.replace(
            step,
            policy_seconds=0.0,
            tool_seconds=0.0,
            calls=[dataclasses.replace(call, seconds=0.0) for call in step.calls],
        )
        for step in record.steps
    ]
    # The traceback's lines are those of the way that was taken.
    failure = dataclasses.replace(record.failure, traceback="") if record.failure else None
    attempts = [timeless(attempt) for attempt in record.attempts]
    return dataclasses.replace(
        record, seconds=0.0, queued=0.0, began=0.0, steps=steps, attempts=attempts, failure=failure
    )


async def both_ways(runner: GraphRunner, *, seeds: int) -> list[tuple[RolloutRecord, RolloutRecord]]:
    """(fused, node by node) for every seed: a rollout with a configuration of its own runs node by node."""
    pairs = []
    for seed in range(seeds):
        run: Any = {"key": f"r{seed}", "purpose": Purpose.TRAIN, "seed": seed}
        fused, by_node = await runner.run(QUESTION, **run), await runner.run(QUESTION, **run, config={"tags": ["t"]})
        pairs.append((timeless(fused), timeless(by_node)))
    return pairs


@pytest.mark.parametrize(
    "graph", ["solver", "value_guided_solver", "value_guided_search", "aggregator", "qa_generator"]
)
async def test_records_are_those_of_the_graph_run_node_by_node(graph: str) -> None:
    pairs = await both_ways(small_runner(graph, policy=drawing_policy(), plugins=SQUEEZE), seeds=24)
    for fused, by_node in pairs:
        assert fused == by_node


async def test_what_was_compared_took_every_route() -> None:
    pairs = await both_ways(small_runner("solver", policy=drawing_policy(), plugins=SQUEEZE), seeds=24)
    kinds = Counter(step.kind for fused, _ in pairs for step in fused.steps)
    assert min(kinds[kind] for kind in (StepKind.SEARCH, StepKind.MALFORMED, StepKind.COMPRESS, StepKind.ANSWER)) >= 5
    assert {fused.status for fused, _ in pairs} == {RolloutStatus.FINISHED, RolloutStatus.UNFINISHED}


@pytest.mark.parametrize("limit", [4, 5, 6, 7, 8])
async def test_super_steps_end_a_rollout_at_the_same_node(limit: int) -> None:
    policy = scripted_policy(lambda request: "<search>mira</search>")
    plugins = [{"kind": "step_budget", "steps": 3}]
    runner = small_runner("solver", policy=policy, plugins=plugins, limits={"super_steps": limit})
    ((fused, by_node),) = await both_ways(runner, seeds=1)
    assert fused.failure is not None and by_node.failure is not None
    assert (fused.status, fused.steps, fused.failure.kind) == (by_node.status, by_node.steps, by_node.failure.kind)
    # think, search, think, search, think, and the end.
    assert ("GraphRecursionError" in fused.failure.reason) == (limit < 6)


def test_the_loops_of_the_built_in_graphs() -> None:
    (loop,) = find_loops(load_spec("solver"))
    assert (loop.entry, set(loop.members), set(loop.exits)) == ("think", {"think", "search", "compress"}, {"end"})
    (loop,) = find_loops(load_spec("aggregator"))
    assert loop.entry == "think" and "attempts" not in loop.members
    assert find_loops(load_spec("dedup")) == []


TWO_EXITS = """
name: verified
description: The answer is looked at once more, a rollout without one is only counted.
role: solver
tools: {search: {k: 3}}
plugins: [{kind: step_budget, steps: 2}]
start: think
nodes:
  think: {kind: policy, prompt: solver}
  note: {kind: python, function: "tests.graphs.test_hot_loop:note"}
  search: {kind: tool, tool: search}
  praise: {kind: python, function: "tests.graphs.test_hot_loop:praise"}
edges:
  think: {search: note, malformed: note, answer: praise, exhausted: end}
  note: search
  search: {ok: think}
  praise: end
"""
SEEN: list[str] = []


async def note(state: GraphState) -> dict[str, Any]:
    SEEN.append(f"note after {state.outcome}")
    return {"values": {**state.values, "notes": state.values.get("notes", 0) + 1}}


async def praise(state: GraphState) -> dict[str, Any]:
    SEEN.append(f"praise with {state.values['notes']}")
    return {"outcome": "ok"}


@pytest.mark.parametrize("config", [None, {"tags": ["node by node"]}])
async def test_a_loop_with_several_exits_and_python_nodes(config: Any) -> None:
    turns = iter(["<search>mira</search>", "<answer>oslo</answer>"])
    policy = scripted_policy(lambda request: next(turns))
    runner = GraphRunner(parse_spec(TWO_EXITS, source="f"), policy=policy, searcher=ListSearcher(NOTES))
    SEEN.clear()
    record = await runner.run(QUESTION, key="r", purpose=Purpose.TRAIN, seed=0, config=config)
    assert record.answer == "oslo" and SEEN == ["note after search", "praise with 1"]


async def test_an_engine_that_answers_at_once_does_not_keep_others_waiting() -> None:
    order: list[str] = []

    def respond(request: GenerateRequest) -> str:
        order.append(request.session)
        return "<search>mira</search>"

    runner = small_runner("solver", policy=scripted_policy(respond))
    await asyncio.gather(*(runner.run(QUESTION, key=k, purpose=Purpose.TRAIN, seed=0) for k in "ab"))
    assert order[:6] == ["a/1", "b/1"] * 3
