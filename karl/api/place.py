"""Which graph is meant: a name or a file, its variant and tasks, and the changes that a caller lays over it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from graphs.library import Library
from graphs.occasions import check_tasks
from graphs.schema import GraphSpec, ParallelNode, ValueSelectNode
from store.errors import UsageError


@dataclass(frozen=True)
class Place:
    """Which graph in which variant."""

    graph: str | Path
    variant: str
    tasks: Sequence[str]
    graph_path: Sequence[Path]
    prompt_path: Sequence[Path]

    @cached_property
    def library(self) -> Library:
        """The graph and all that it runs; graphs beside a file are found by name."""
        beside = [self.graph.parent] if isinstance(self.graph, Path) else []
        return Library(graph_path=[*beside, *self.graph_path], prompt_path=self.prompt_path, tasks=self.tasks)

    def spec(self, changes: Mapping[str, Any] | None) -> GraphSpec:
        """Raises: UsageError for whatever is wrong in the graph or in what it runs, and for unknown tasks."""
        spec = self.library.get(self.graph, variant=self.variant, changes=changes).spec
        check_tasks(self.tasks, self.library.specs)
        return spec


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
