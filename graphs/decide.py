"""Graphs that decide and make no rollouts: their judge nodes, and the functions that run them.

`deduplicate(...)` runs the graph `dedup`, `filter_quality(...)` the graph `quality_filter`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agents.judges import Judge, Pair, Quality, QualityCase
from graphs.dedup import Decision, SetState, order_of, resolve_near
from graphs.harness import Harness
from graphs.nodes import Node, Update
from graphs.schema import JudgeNode, load_spec
from graphs.similarity import Similarity, word_similarity
from graphs.state import GraphState


def judge_node(harness: Harness, node: JudgeNode) -> Node:
    """A decision about the inputs in the state's `values`. Raises: JudgeError."""

    async def duplicates(state: GraphState) -> Update:
        pairs: SetState = state.values["set"]
        pairs = await resolve_near(pairs, judge=_judge(harness), top=node.top, threshold=node.threshold)
        return {"outcome": "ok", "values": {**state.values, "set": pairs}}

    async def quality(state: GraphState) -> Update:
        verdict = await _judge(harness).quality(state.values["case"])
        return {"outcome": "ok", "values": {**state.values, "quality": verdict}}

    return duplicates if node.judge == "duplicate" else quality


def _judge(harness: Harness) -> Judge:
    if harness.judge is None:
        raise ValueError(f"graph '{harness.spec.name}' needs a judge and was given none")
    return harness.judge


async def deduplicate(
    candidates: Sequence[Pair],
    *,
    held_out: Sequence[Pair],
    judge: Judge,
    seed: int,
    similarity: Similarity = word_similarity,
    graph_path: Sequence[Path] = (),
) -> list[Decision]:
    """One decision per candidate, in their order. Of duplicates within the set one is kept, drawn by `seed`.

    Raises: JudgeError.
    """
    state = SetState(candidates, held_out, similarity, order_of(len(candidates), seed=seed), {})
    values = await _decide("dedup", {"set": state}, judge=judge, graph_path=graph_path)
    dropped = values["set"].dropped
    return [dropped.get(index, Decision(True, "no duplicate was found")) for index in range(len(candidates))]


async def filter_quality(case: QualityCase, *, judge: Judge, graph_path: Sequence[Path] = ()) -> Quality:
    """Is the question sound? Raises: JudgeError."""
    values = await _decide("quality_filter", {"case": case}, judge=judge, graph_path=graph_path)
    return values["quality"]


async def _decide(name: str, values: dict[str, Any], *, judge: Judge, graph_path: Sequence[Path]) -> dict[str, Any]:
    from graphs.compiler import compile_graph

    spec = load_spec(name, path=graph_path)
    graph: Any = compile_graph(Harness(spec=spec, prompts={}, judge=judge))
    final = await graph.ainvoke(GraphState(values=values), {"recursion_limit": spec.limits.super_steps})
    return final["values"]
