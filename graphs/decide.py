"""Graphs that decide and make no rollouts: the functions that run them.

`deduplicate(...)` runs the graph `dedup`, `filter_quality(...)` the graph `quality_filter`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agents.judges import Judge, Pair, Quality, QualityCase
from graphs.dedup import Decision, SetState, order_of
from graphs.harness import Harness
from graphs.schema import load_spec
from graphs.similarity import Similarity, word_similarity
from graphs.state import GraphState


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
