"""Graphs that make no rollouts: they decide about what the state's `values` hold.

`deduplicate(...)` runs a graph of the state `set`, `filter_quality(...)` one of the state `case`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agents.errors import RolloutTimeoutError
from agents.judges import Judge, Pair, Quality, QualityCase
from graphs.dedup import Decision, SetState, order_of
from graphs.harness import Harness
from graphs.schema import GraphSpec, load_spec
from graphs.similarity import Similarity, word_similarity
from graphs.state import GraphState


async def deduplicate(
    candidates: Sequence[Pair],
    *,
    held_out: Sequence[Pair],
    judge: Judge,
    seed: int,
    similarity: Similarity = word_similarity,
    graph: GraphSpec | None = None,
    graph_path: Sequence[Path] = (),
) -> list[Decision]:
    """One decision per candidate, in their order. Of duplicates within the set one is kept, drawn by `seed`.

    `graph`: default `dedup`, looked up on `graph_path`. Raises: JudgeError.
    """
    spec = graph or load_spec("dedup", path=graph_path)
    state = SetState(candidates, held_out, similarity, order_of(len(candidates), seed=seed), {})
    values = await run_values(spec, {"set": state}, judge=judge)
    dropped = values["set"].dropped
    return [dropped.get(index, Decision(True, "no duplicate was found")) for index in range(len(candidates))]


async def filter_quality(
    case: QualityCase, *, judge: Judge, graph: GraphSpec | None = None, graph_path: Sequence[Path] = ()
) -> Quality:
    """Is the question sound? `graph`: default `quality_filter`, looked up on `graph_path`. Raises: JudgeError."""
    spec = graph or load_spec("quality_filter", path=graph_path)
    values = await run_values(spec, {"case": case}, judge=judge)
    return values["quality"]


async def run_values(spec: GraphSpec, values: Mapping[str, Any], *, judge: Judge | None = None) -> dict[str, Any]:
    """The state's values at the end of the graph. Raises: what its nodes raise; RolloutTimeoutError."""
    # LangGraph takes its time to import, and this module is imported where nothing runs yet.
    from graphs.compiler import compile_graph

    graph: Any = compile_graph(Harness(spec=spec, prompts={}, judge=judge))
    running = graph.ainvoke(GraphState(values=values), {"recursion_limit": spec.limits.super_steps})
    if spec.limits.seconds is None:
        return (await running)["values"]
    try:
        async with asyncio.timeout(spec.limits.seconds):
            return (await running)["values"]
    except TimeoutError as exc:
        raise RolloutTimeoutError(f"graph '{spec.name}' took more than {spec.limits.seconds:g} s") from exc
