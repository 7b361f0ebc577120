"""GraphSpec -> LangGraph StateGraph. One builder per node kind; routes become conditional edges on the last outcome."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from graphs import schema
from graphs.harness import INSTRUCTION_VARIABLES, OPENING_VARIABLES, Harness
from graphs.hot_loop import add_loop, find_loops
from graphs.nodes.base import Node
from graphs.nodes.compress import compress_node
from graphs.nodes.judge import judge_node
from graphs.nodes.parallel import parallel_node
from graphs.nodes.tool import tool_node
from graphs.nodes.turn import policy_node
from graphs.nodes.value_select import value_select_node
from graphs.nodes.vote import vote_node
from graphs.schema import GraphSpec, NodeSpec
from graphs.state import GraphState
from prompts import Prompt, load_prompt
from store.errors import UsageError

_BUILDERS: dict[type, Callable[[Harness, Any], Node]] = {
    schema.PolicyNode: policy_node,
    schema.ValueSelectNode: value_select_node,
    schema.ToolNode: tool_node,
    schema.CompressNode: compress_node,
    schema.ParallelNode: parallel_node,
    schema.VoteNode: vote_node,
    schema.JudgeNode: judge_node,
}
# What each kind of prompt may ask for.
_TOOL_VARIABLES = {"result": frozenset({"hits"}), "correction": frozenset({"reason"})}
_COMPRESS_VARIABLES = frozenset({"question", "tokens"})


def compile_graph(
    harness: Harness, *, fused: bool = False
) -> CompiledStateGraph[GraphState, None, GraphState, GraphState]:
    """No checkpointer: a rollout is the unit of work, resumed by its key. Raises: UsageError for a bad python node.

    `fused`: every loop is one node of LangGraph (graphs.hot_loop): the same rollouts, fewer super-steps.
    """
    spec = harness.spec
    nodes = {name: _build(harness, node) for name, node in spec.nodes.items()}
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


def _build(harness: Harness, node: NodeSpec) -> Node:
    if isinstance(node, schema.PythonNode):
        return import_function(node.function)
    return _BUILDERS[type(node)](harness, node)


def import_function(reference: str) -> Node:
    """`module:function` as a node. Raises: UsageError unless it is an importable async function of the state."""
    module_name, function_name = reference.split(":")
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError) as exc:
        raise UsageError(f"python node '{reference}': can't be imported: {exc}") from exc
    if not inspect.iscoroutinefunction(function) or len(inspect.signature(function).parameters) != 1:
        raise UsageError(f"python node '{reference}': expected `async def {function_name}(state: GraphState) -> dict`")
    return function


def load_prompts(spec: GraphSpec, *, variant: str, path: Sequence[Path]) -> dict[str, Prompt]:
    """Every prompt that the graph names. Raises: UsageError for a missing one, or variables that nothing supplies."""
    prompts: dict[str, Prompt] = {}
    for node_name, node in spec.nodes.items():
        for name, supplied in _wanted(node):
            prompt = prompts[name] = load_prompt(name, variant=variant, path=path)
            unmet = sorted(prompt.variables.keys() - supplied)
            if unmet:
                known = ", ".join(sorted(supplied))
                raise UsageError(
                    f"{prompt.path}: nothing supplies '{unmet[0]}' in node '{node_name}' of '{spec.name}'; "
                    f"there are: {known}"
                )
    for name in _plugin_prompts(spec):
        prompts[name] = load_prompt(name, variant=variant, path=path)
    return prompts


def _wanted(node: NodeSpec) -> list[tuple[str, frozenset[str]]]:
    match node:
        case schema.PolicyNode() | schema.ValueSelectNode():
            instruction = node.instruction if isinstance(node, schema.PolicyNode) else None
            return [
                (node.prompt, OPENING_VARIABLES),
                ("search_result", _TOOL_VARIABLES["result"]),  # seeds are shown as search results
                *([(instruction, INSTRUCTION_VARIABLES)] if instruction else []),
            ]
        case schema.ToolNode():
            return [(node.result, _TOOL_VARIABLES["result"]), (node.correction, _TOOL_VARIABLES["correction"])]
        case schema.CompressNode():
            return [(node.prompt, _COMPRESS_VARIABLES)]
        case _:
            return []


def _plugin_prompts(spec: GraphSpec) -> list[str]:
    return [name for plugin in spec.plugins for name in plugin.prompt_names()]
