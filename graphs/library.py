"""Graphs with their prompts, each read once: what is edited meanwhile takes effect at `reload`, or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from graphs.functions import function_hashes, node_function
from graphs.prompting import load_prompts
from graphs.schema import GraphSpec, ParallelNode, PythonNode, StageNode, load_spec, read_spec
from graphs.schema.files import find_file
from graphs.schema.layers import Layer
from graphs.stage_graphs import check_stage_graph
from graphs.toolbox import named_tools
from prompts import Prompt
from store.errors import UsageError


class Loaded(NamedTuple):
    """A graph that can run: checked together with its prompts, its functions and the graphs that it runs."""

    spec: GraphSpec
    prompts: Mapping[str, Prompt]

    @property
    def hashes(self) -> tuple[str, ...]:
        """Of graph, prompts and functions: they change when a file's meaning does."""
        prompts = (prompt.sha256 for _, prompt in sorted(self.prompts.items()))
        return (self.spec.sha256, *prompts, *function_hashes(self.spec).values())


class _Key(NamedTuple):
    name: str | Path
    variant: str
    changes: str  # canonical JSON


class Library:
    """Reads what is asked for, with everything that it runs; keeps it until `reload`."""

    def __init__(
        self, *, graph_path: Sequence[Path] = (), prompt_path: Sequence[Path] = (), tasks: Sequence[str] = ()
    ) -> None:
        self._graph_path = tuple(graph_path)
        self._prompt_path = tuple(prompt_path)
        self._tasks = tuple(tasks)
        self._asked: list[_Key] = []
        self._loaded: dict[_Key, Loaded] = {}

    def get(self, name: str | Path, *, variant: str = "", changes: Mapping[str, Any] | None = None) -> Loaded:
        """A graph by name, or a file. Raises: UsageError naming file, line, key and the mend."""
        key = _key(name, variant, changes)
        if key not in self._loaded:
            fresh = dict(self._loaded)
            self._read(key, fresh, within=())
            self._asked.append(key)
            self._loaded = fresh
        return self._loaded[key]

    @property
    def specs(self) -> list[GraphSpec]:
        """Every graph read so far, those that others run too."""
        return [loaded.spec for loaded in self._loaded.values()]

    def reload(self) -> list[str]:
        """Read everything anew; the names of the graphs that mean something else now, prompts counted in.

        Raises: UsageError when any of it is broken; then all of it stays as it was.
        """
        fresh: dict[_Key, Loaded] = {}
        for key in self._asked:
            self._read(key, fresh, within=())
        before, self._loaded = self._loaded, fresh
        changed = [key for key, loaded in fresh.items() if key not in before or before[key].hashes != loaded.hashes]
        return sorted({str(key.name) for key in changed})

    def _read(
        self, key: _Key, into: dict[_Key, Loaded], *, within: tuple[str, ...], placed: Layer | None = None
    ) -> None:
        """`placed`: the key's changes, where they stand in a file."""
        if key in into:
            return
        where: Any = {"variant": key.variant, "tasks": self._tasks, "changes": placed or json.loads(key.changes)}
        if isinstance(key.name, Path):
            spec = read_spec(key.name, path=self._graph_path, **where)
        else:
            spec = load_spec(key.name, path=self._graph_path, **where)
        prompts = load_prompts(spec, variant=key.variant, path=self._prompt_path)
        named_tools(spec)
        for name, node in spec.nodes.items():
            if isinstance(node, PythonNode):
                node_function(spec, name)
            self._read_inner(spec, name, key.variant, into, within=(*within, spec.name))
        into[key] = Loaded(spec, prompts)

    def _read_inner(
        self, spec: GraphSpec, name: str, variant: str, into: dict[_Key, Loaded], *, within: tuple[str, ...]
    ) -> None:
        """The graph that a parallel node or a stage runs."""
        node = spec.nodes[name]
        graph = node.graph if isinstance(node, ParallelNode) else node.runs if isinstance(node, StageNode) else None
        if graph is None:
            return
        path = ("nodes", name, "graph")
        if graph in within:
            chain = " > ".join([*within[within.index(graph) :], graph])
            raise spec.error(path, f"graph '{graph}' runs itself ({chain}); name another graph here")
        try:
            find_file(graph, self._graph_path)
        except UsageError as exc:
            raise spec.error(path, str(exc)) from exc
        changes = node.changes if isinstance(node, ParallelNode) else None
        inner = _key(graph, variant, changes)
        own = Layer(changes, spec.document, ("nodes", name, "changes")) if changes and spec.document else None
        self._read(inner, into, within=within, placed=own)
        if isinstance(node, StageNode):
            check_stage_graph(spec, name, into[inner].spec, variant=variant)


def _key(name: str | Path, variant: str, changes: Mapping[str, Any] | None) -> _Key:
    return _Key(name, variant, json.dumps(changes or {}, sort_keys=True))
