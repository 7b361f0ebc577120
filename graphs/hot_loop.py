"""Each loop of a graph as one node of LangGraph: a rollout of many turns becomes few super-steps.

A super-step of LangGraph costs more than everything that the harness itself does in a turn (`karl bench harness`).
Nodes, routes and outcomes are those of the graph; only who calls the next node differs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from langgraph.errors import GraphRecursionError
from langgraph.graph import END
from langgraph.types import Command

from graphs import schema
from graphs.loops import reached
from graphs.nodes.base import Node, Update
from graphs.schema import GraphSpec
from graphs.state import GraphState

_STATE_KEYS = frozenset(field.name for field in fields(GraphState))


@dataclass(frozen=True)
class Loop:
    """Nodes that all lead to one another. `entry`: the only one that anything outside leads to."""

    entry: str
    members: frozenset[str]
    exits: frozenset[str]  # what they lead to outside, END included


class _Routes:
    """Where a node leads. With one target the outcome is not looked at: a python node need not give one."""

    def __init__(self, routes: Mapping[str, str]) -> None:
        self._routes = routes
        targets = set(routes.values())
        self._only = targets.pop() if len(targets) == 1 else None

    def after(self, outcome: str) -> str:
        return self._only or self._routes[outcome]


def find_loops(spec: GraphSpec) -> list[Loop]:
    """Those with one entry; a loop that is entered at several nodes stays as it is."""
    edges = _edges(spec)
    reach = {name: reached(edges, name) for name in edges}
    circles = {frozenset(other for other in reach[name] if name in reach.get(other, ())) for name in edges}
    loops = [_loop(edges, members, start=spec.start) for members in circles - {frozenset()}]
    return [loop for loop in loops if loop is not None]


def _loop(edges: Mapping[str, set[str]], members: frozenset[str], *, start: str) -> Loop | None:
    led_to = {target for name in edges.keys() - members for target in edges[name]} | {start}
    exits = frozenset(target for name in members for target in edges[name]) - members
    entries = sorted(led_to & members)
    return Loop(entries[0], members, exits) if len(entries) == 1 else None


def add_loop(graph: Any, loop: Loop, nodes: Mapping[str, Node], spec: GraphSpec) -> None:
    """`loop` as one node of the LangGraph `graph`, and the edge out of it where there is only one."""
    targets = tuple(sorted(_langgraph_name(target) for target in loop.exits))
    if len(targets) == 1:
        graph.add_node(loop.entry, loop_node(loop, nodes, spec))
        graph.add_edge(loop.entry, targets[0])
    else:
        graph.add_node(loop.entry, loop_node(loop, nodes, spec), destinations=targets)


def loop_node(
    loop: Loop, nodes: Mapping[str, Node], spec: GraphSpec
) -> Callable[[GraphState], Awaitable[Update | Command[str]]]:
    """The loop as one node, named after its entry: runs its members until a route leads outside.

    Raises: GraphRecursionError after `limits.super_steps` of them; what the members raise.
    """
    routes = {name: _Routes(spec.routes(name)) for name in loop.members}

    async def run(state: GraphState) -> Update | Command[str]:
        state, name = replace(state), loop.entry
        for left in reversed(range(spec.limits.super_steps)):
            for key, value in (await nodes[name](state)).items():
                setattr(state, key, value)
            name = routes[name].after(state.outcome)
            if left and name not in routes:  # LangGraph, too, wants one left over to end with
                return _leave(loop, state, name)
            # An engine that answers at once must not keep the other rollouts waiting.
            await asyncio.sleep(0)
        raise GraphRecursionError(
            f"no end after {spec.limits.super_steps} super-steps of the loop at '{loop.entry}': "
            "raise limits.super_steps, or give the loop a budget that ends it"
        )

    return run


def _leave(loop: Loop, state: GraphState, target: str) -> Update | Command[str]:
    update = {key: getattr(state, key) for key in _STATE_KEYS}
    # One outcome may lead different members to different places: the target is named, not looked up again.
    return update if len(loop.exits) == 1 else Command(update=update, goto=_langgraph_name(target))


def _langgraph_name(name: str) -> str:
    return END if name == schema.END else name


def _edges(spec: GraphSpec) -> dict[str, set[str]]:
    return {name: set(spec.routes(name).values()) for name in spec.nodes}
