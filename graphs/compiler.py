"""GraphSpec -> LangGraph StateGraph. One builder per node kind; routes become conditional edges on the last outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from agents.errors import RolloutTimeoutError
from graphs import schema
from graphs.events import NodeEntered
from graphs.functions import checked, node_function
from graphs.harness import Harness
from graphs.hot_loop import add_loop, find_loops
from graphs.nodes.base import Node, Update
from graphs.nodes.compress import compress_node
from graphs.nodes.judge import judge_node
from graphs.nodes.parallel import parallel_node
from graphs.nodes.stage import stage_node
from graphs.nodes.tool import tool_node
from graphs.nodes.turn import policy_node
from graphs.nodes.value_select import value_select_node
from graphs.nodes.vote import vote_node
from graphs.schema import GraphSpec, NodeSpec
from graphs.state import GraphState

_BUILDERS: dict[type, Callable[[Harness, Any], Node]] = {
    schema.PolicyNode: policy_node,
    schema.ValueSelectNode: value_select_node,
    schema.ToolNode: tool_node,
    schema.CompressNode: compress_node,
    schema.ParallelNode: parallel_node,
    schema.VoteNode: vote_node,
    schema.JudgeNode: judge_node,
    schema.StageNode: stage_node,
}


def compile_graph(
    harness: Harness, *, fused: bool = False
) -> CompiledStateGraph[GraphState, None, GraphState, GraphState]:
    """No checkpointer: a rollout is the unit of work, resumed by its key. Raises: UsageError for a bad python node.

    `fused`: every loop is one node of LangGraph (graphs.hot_loop): the same rollouts, fewer super-steps.
    """
    spec = harness.spec
    nodes = {name: _build(harness, name) for name in spec.nodes}
    loops = find_loops(spec) if fused else []
    inside = {name for loop in loops for name in loop.members}
    graph: Any = StateGraph(GraphState)
    for name in (name for name in nodes if name not in inside):
        graph.add_node(name, nodes[name])
    for loop in loops:
        add_loop(graph, loop, nodes, spec)
    graph.add_edge(START, spec.start)
    for name in (name for name in nodes if name not in inside):
        _connect(graph, spec, name)
    return graph.compile(name=spec.name)


def _connect(graph: Any, spec: GraphSpec, name: str) -> None:
    targets = {outcome: END if target == schema.END else target for outcome, target in spec.routes(name).items()}
    if len(set(targets.values())) == 1:
        graph.add_edge(name, next(iter(targets.values())))
    else:
        graph.add_conditional_edges(name, _outcome, targets)


def _outcome(state: GraphState) -> str:
    return state.outcome


def _build(harness: Harness, name: str) -> Node:
    node = harness.spec.nodes[name]
    if isinstance(node, schema.PythonNode):
        run = checked(node_function(harness.spec, name), harness.spec, name)
    else:
        run = _BUILDERS[type(node)](_view(harness, node), node)
    run = _told(run, name)
    return run if node.limits.seconds is None else _limited(run, name, node.limits.seconds)


def _view(harness: Harness, node: NodeSpec) -> Harness:
    """The harness as this node sees it: the graph's sampling with the node's laid over it."""
    if not isinstance(node, schema.SpeakingNode) or node.sampling == schema.NodeSampling():
        return harness
    spec = harness.spec.model_copy(update={"sampling": harness.spec.sampling_of(node)})
    return replace(harness, spec=spec, temperature=node.sampling.temperature)


def _told(run: Node, name: str) -> Node:
    async def told(state: GraphState) -> Update:
        rollout = state.rollout
        if rollout is not None and rollout.emit:
            rollout.emit(NodeEntered(rollout.key, name))
        return await run(state)

    return told


def _limited(run: Node, name: str, seconds: float) -> Node:
    async def limited(state: GraphState) -> Update:
        try:
            async with asyncio.timeout(seconds):
                return await run(state)
        except TimeoutError as exc:
            raise RolloutTimeoutError(f"node '{name}' took more than {seconds:g} s") from exc

    return limited
