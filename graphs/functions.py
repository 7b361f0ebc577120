"""Functions that python nodes name: imported, and held against the signature that a node has."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_origin, get_type_hints

from graphs.nodes.base import Node
from graphs.schema import GraphSpec, PythonNode
from graphs.state import GraphState
from store.errors import UsageError

_WANTED = "async def {name}(state: GraphState) -> dict[str, Any]"


def node_function(spec: GraphSpec, name: str) -> Node:
    """The function of the python node `name`. Modules beside the graph file, or above it, are found as well.

    Raises: UsageError naming file and line of the node's key, and the mend.
    """
    node = spec.nodes[name]
    assert isinstance(node, PythonNode)
    path = ("nodes", name, "function")
    source = Path(spec.document.place(path).source) if spec.document else None
    folders = [source.absolute().parent, source.absolute().parent.parent] if source else []
    try:
        return import_function(node.function, folders=folders)
    except UsageError as exc:
        raise spec.error(path, str(exc)) from exc


def import_function(reference: str, *, folders: Sequence[Path] = ()) -> Node:
    """`module:function` as a node. Raises: UsageError unless it is an importable async function of the state."""
    module_name, name = reference.split(":")
    try:
        with _importable(folders):
            function = getattr(importlib.import_module(module_name), name)
    except Exception as exc:  # whatever the module does when it is imported
        kind = "" if isinstance(exc, ImportError | AttributeError) else f"{type(exc).__name__}: "
        raise UsageError(f"python node '{reference}': can't be imported: {kind}{exc}") from exc
    problem = _problem(function)
    if problem:
        raise UsageError(f"python node '{reference}': {problem}; write `{_WANTED.format(name=name)}`")
    return function


@contextmanager
def _importable(folders: Sequence[Path]) -> Iterator[None]:
    # Behind everything installed: a file of the project must not shadow a library by accident.
    added = [str(folder) for folder in folders if folder.is_dir() and str(folder) not in sys.path]
    sys.path.extend(added)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        for folder in added:
            sys.path.remove(folder)


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


def checked(function: Node, reference: str) -> Node:
    """The function, with what it returns looked at: LangGraph's own message names neither node nor mend."""

    async def run(state: GraphState) -> dict[str, Any]:
        update: Any = await function(state)
        if not isinstance(update, Mapping):
            raise TypeError(f"python node '{reference}' returned {type(update).__name__}; return a dict, {{}} at least")
        return {"outcome": "ok", **update}

    return run
