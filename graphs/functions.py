"""Functions that python nodes name: imported, and held against the signature that a node has."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, get_origin, get_type_hints

from agents.errors import RolloutError, boundary
from graphs.nodes.base import Node
from graphs.references import import_reference, referred
from graphs.schema import GraphSpec, PythonNode
from graphs.state import GraphState
from graphs.toolbox import named_tools
from prompts.closed_yaml import closest
from store.errors import UsageError

_STATE_KEYS = tuple(field.name for field in fields(GraphState))
_WANTED = "async def {name}(state: GraphState) -> dict[str, Any]"
_WHAT = "python node"


def node_function(spec: GraphSpec, name: str) -> Node:
    """The function of the python node `name`. Raises: UsageError naming file and line of the node's key."""
    node = spec.nodes[name]
    assert isinstance(node, PythonNode)
    path = ("nodes", name, "function")
    found = referred(spec, path, node.function, what=_WHAT)
    try:
        return _as_node(found.value, node.function)
    except UsageError as exc:
        raise spec.error(path, str(exc)) from exc


def function_hashes(spec: GraphSpec) -> dict[str, str]:
    """`module:object` -> SHA-256 of the source, for every python node and every tool named so. Raises: UsageError."""
    nodes = {name: node for name, node in spec.nodes.items() if isinstance(node, PythonNode)}
    paths = {("nodes", name, "function"): node.function for name, node in nodes.items()}
    hashes = {reference: referred(spec, path, reference, what=_WHAT).sha256 for path, reference in paths.items()}
    return hashes | {reference: found.sha256 for reference, found in named_tools(spec).items()}


def import_function(reference: str, *, folders: Sequence[Path] = ()) -> Node:
    """`module:function` as a node. Raises: UsageError unless it is an importable async function of the state."""
    return _as_node(import_reference(reference, what=_WHAT, folders=folders).value, reference)


def _as_node(function: Any, reference: str) -> Node:
    if problem := _problem(function):
        name = reference.partition(":")[2]
        raise UsageError(f"{_WHAT} '{reference}': {problem}; write `{_WANTED.format(name=name)}`")
    return function


def _problem(function: Any) -> str | None:
    """What is wrong with the function as a node, or None."""
    if not inspect.iscoroutinefunction(function):
        return "not an async function"
    parameters = list(inspect.signature(function).parameters.values())
    if len(parameters) != 1:
        return f"takes {len(parameters)} parameters, a node takes the state alone"
    try:
        hints = get_type_hints(function)
    except (NameError, TypeError, AttributeError) as exc:
        return f"its annotations can't be read ({exc}); import what they name at the top, outside of TYPE_CHECKING"
    return _mistyped(parameters[0].name, hints)


def _mistyped(parameter: str, hints: Mapping[str, Any]) -> str | None:
    given, returned = hints.get(parameter), hints.get("return")
    if given is None:
        return f"the parameter '{parameter}' has no annotation"
    if given is not GraphState:
        return f"the parameter '{parameter}' is annotated {_shown(given)}, not GraphState (of graphs.state)"
    if returned is None:
        return "it returns nothing by its annotation; a node returns the fields of the state that it changes"
    origin = get_origin(returned) or returned
    if not (isinstance(origin, type) and issubclass(origin, Mapping)):
        return f"it returns {_shown(returned)} by its annotation, not a mapping"
    return None


def _shown(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def checked(function: Node, spec: GraphSpec, name: str) -> Node:
    """The function of the python node `name`, with what it raises and returns told by node, function and mend.

    Raises: RolloutError; what is typed already passes.
    """
    node = spec.nodes[name]
    assert isinstance(node, PythonNode)
    label = f"graph {spec.name}: node '{name}' ({node.function})"

    async def run(state: GraphState) -> dict[str, Any]:
        async with boundary(RolloutError, label):
            given: Any = await function(state)
        if problem := _unfit(given, node):
            raise RolloutError(f"{label} {problem}")
        return {"outcome": "ok", **given}

    return run


def _unfit(given: Any, node: PythonNode) -> str | None:
    """What is wrong with the update that a function returned, or None."""
    if not isinstance(given, Mapping):
        return f"returned {type(given).__name__}; return a dict, {{}} at least"
    unknown = next((key for key in given if key not in _STATE_KEYS), None)
    if unknown is not None:
        near = closest(unknown, _STATE_KEYS)
        return f"returned the key '{unknown}'; the state has {', '.join(_STATE_KEYS)}{near}"
    outcome = given.get("outcome", "ok")
    if outcome in node.outcomes:
        return None
    listed = ", ".join(node.outcomes) + closest(outcome, node.outcomes)
    mend = "return one of them as 'outcome', or add this one to the node's 'outcomes'"
    return f"ended with '{outcome}'; its outcomes: {listed}; {mend}"
