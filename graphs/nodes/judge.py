"""A judge's decision about the inputs in the state's `values`."""

from __future__ import annotations

from agents.judges import Judge
from graphs.dedup import SetState, resolve_near
from graphs.harness import Harness
from graphs.nodes.base import Node, Update
from graphs.schema import JudgeNode
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
