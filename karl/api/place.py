"""Which graph is meant: a name or a file, its variant and tasks, and the changes that a caller lays over it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphs.schema import GraphSpec, ParallelNode, ValueSelectNode, load_spec, read_spec
from store.errors import UsageError


@dataclass(frozen=True)
class Place:
    """Which graph in which variant."""

    graph: str | Path
    variant: str
    tasks: Sequence[str]
    path: Sequence[Path]

    def spec(self, changes: Mapping[str, Any] | None) -> GraphSpec:
        given: dict[str, Any] = {"variant": self.variant, "tasks": self.tasks, "path": self.path, "changes": changes}
        return read_spec(self.graph, **given) if isinstance(self.graph, Path) else load_spec(self.graph, **given)


def graph_or_file(graph: str | Path) -> str | Path:
    """A text with a suffix or a folder in it is a file."""
    if isinstance(graph, str) and not (graph.endswith((".yaml", ".yml")) or os.sep in graph):
        return graph
    return Path(graph).expanduser().resolve()


def with_attempts(spec: GraphSpec, changes: Mapping[str, Any], attempts: int | None) -> dict[str, Any]:
    """The key `nodes` with `runs` set in every parallel node. Raises: UsageError where there is none."""
    if attempts is None:
        return {}
    parallel = [name for name, node in spec.nodes.items() if isinstance(node, ParallelNode)]
    if not parallel:
        raise UsageError(
            f"graph '{spec.name}' has no parallel node to run {attempts} times; try the graph 'aggregator'"
        )
    nodes: dict[str, Any] = dict(changes.get("nodes") or {})
    return {"nodes": {**nodes, **{name: {**(nodes.get(name) or {}), "runs": attempts} for name in parallel}}}


def default_temperature(spec: GraphSpec) -> float | None:
    """At 0 all draws of one prompt would be the same."""
    several = any(isinstance(node, ParallelNode | ValueSelectNode) for node in spec.nodes.values())
    return None if several else 0.0
