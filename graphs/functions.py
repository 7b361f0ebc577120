"""Functions that python nodes name: imported, and held against the signature that a node has."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, get_origin, get_type_hints

from graphs.local_modules import local_module, source_sha256
from graphs.nodes.base import Node
from graphs.schema import GraphSpec, PythonNode
from graphs.state import GraphState
from store.errors import UsageError

_WANTED = "async def {name}(state: GraphState) -> dict[str, Any]"


class NodeFunction(NamedTuple):
    """`sha256`: of the module's source, and of the sources beside it that it imports."""

    run: Node
    sha256: str


def node_function(spec: GraphSpec, name: str) -> NodeFunction:
    """The function of the python node `name`; read once for a graph that was read, whatever the file says by now.

    Modules beside the graph file, or in the folder above it, come first.
    Raises: UsageError naming file and line of the node's key, and the mend.
    """
    node = spec.nodes[name]
    assert isinstance(node, PythonNode)
    path = ("nodes", name, "function")
    source = Path(spec.document.place(path).source).absolute() if spec.document else None
    functions, key = spec.held.functions, (source, node.function)
    if key not in functions:
        try:
            functions[key] = read_function(
                node.function, folders=[source.parent, source.parent.parent] if source else []
            )
        except UsageError as exc:
            raise spec.error(path, str(exc)) from exc
    return functions[key]


def function_hashes(spec: GraphSpec) -> dict[str, str]:
    """`module:function` -> SHA-256 of the source, for every python node. Raises: UsageError."""
    nodes = {name: node for name, node in spec.nodes.items() if isinstance(node, PythonNode)}
    return {node.function: node_function(spec, name).sha256 for name, node in nodes.items()}


def import_function(reference: str, *, folders: Sequence[Path] = ()) -> Node:
    """`module:function` as a node. Raises: UsageError unless it is an importable async function of the state."""
    return read_function(reference, folders=folders).run


def read_function(reference: str, *, folders: Sequence[Path] = ()) -> NodeFunction:
    """`import_function`, with the hash of the source that it came from. Raises: UsageError."""
    module_name, name = reference.split(":")
    try:
        local = local_module(module_name, folders)
        module = local.module if local else importlib.import_module(module_name)
        function = getattr(module, name)
    except Exception as exc:  # whatever the module does when it is imported
        kind = "" if isinstance(exc, ImportError | AttributeError) else f"{type(exc).__name__}: "
        raise UsageError(f"python node '{reference}': can't be imported: {kind}{exc}") from exc
    problem = _problem(function)
    if problem:
        raise UsageError(f"python node '{reference}': {problem}; write `{_WANTED.format(name=name)}`")
    return NodeFunction(function, local.sha256 if local else _installed_sha256(module))


@cache  # an installed module is imported once, so is its source read once
def _installed_sha256(module: ModuleType) -> str:
    return source_sha256(Path(module.__file__)) if module.__file__ else ""


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


def checked(function: Node, node: PythonNode) -> Node:
    """The function, with what it returns looked at: LangGraph's own message names neither node nor mend."""
    label = f"python node '{node.function}'"

    async def run(state: GraphState) -> dict[str, Any]:
        given: Any = await function(state)
        if not isinstance(given, Mapping):
            raise TypeError(f"{label} returned {type(given).__name__}; return a dict, {{}} at least")
        update = {"outcome": "ok", **given}
        if update["outcome"] not in node.outcomes:
            listed = ", ".join(node.outcomes)
            raise ValueError(
                f"{label} ended with '{update['outcome']}'; its outcomes: {listed}; return one of them as 'outcome', "
                "or add this one to the node's 'outcomes'"
            )
        return update

    return run
