"""The graph that a policy runs for a task: k, turns and prompt are the task's, unless the policy has its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.tasks.spec import TaskSpec
from graphs.iteration import graph_of
from graphs.library import Library
from graphs.schema import GraphSpec, ParallelNode, PolicyNode, StepBudget
from karl.api.place import Place, graph_or_file
from karl.settings import Settings

PLAIN_PROMPT = "solver"  # the prompt that a task's own stands in for


@dataclass(frozen=True)
class TaskGraph:
    """`changes`: what the task lays over the graph."""

    place: Place
    changes: Mapping[str, Any]
    spec: GraphSpec
    prompt_sha256: dict[str, str]

    @property
    def identity(self) -> list[str]:
        """Hashes of graph, prompts and functions, those of graphs that it runs too."""
        return _hashes(self.place.library, self.place.graph, self.place.variant, self.changes)

    @property
    def steps(self) -> int | None:
        budget = self.spec.plugin(StepBudget)
        return budget.steps if budget else None

    @property
    def k(self) -> int | None:
        """None: no search, or as many as fit a budget of tokens."""
        search = self.spec.tools.search
        return search.k if search is not None and search.tokens is None else None


def task_graph(graph: str | None, *, task: TaskSpec | None, variant: str, settings: Settings) -> TaskGraph:
    """`graph` None: the one that evaluates in a run. Raises: UsageError for whatever is wrong in it."""
    chosen = graph_or_file(graph) if graph else _evaluating(settings, variant)
    plain = Place(chosen, variant, (), settings.graph_path, settings.prompt_path)
    spec = plain.spec(None)
    known = {name for one in plain.library.specs if one.document for name in one.document.occasions}
    place = Place(
        chosen, variant, [task.name] if task and task.name in known else [], settings.graph_path, settings.prompt_path
    )
    # A policy that was trained with figures of its own is measured with them: 20 hits would not fit a small window.
    changes = {} if task is None or (variant and variant in known) else _changes(place, spec, task)
    final = place.spec(changes)
    prompts = place.library.get(chosen, variant=variant, changes=changes).prompts
    return TaskGraph(place, changes, final, {name: prompt.sha256 for name, prompt in prompts.items()})


def _hashes(library: Library, graph: str | Path, variant: str, changes: Mapping[str, Any] | None) -> list[str]:
    loaded = library.get(graph, variant=variant, changes=changes)
    inner = [node for node in loaded.spec.nodes.values() if isinstance(node, ParallelNode)]
    below = [one for node in inner for one in _hashes(library, node.graph, variant, node.changes)]
    return [*loaded.hashes, *below]


def _evaluating(settings: Settings, variant: str) -> str:
    library = Library(graph_path=settings.graph_path, prompt_path=settings.prompt_path)
    return graph_of(library.get("iteration", variant=variant).spec, "evaluate")


def _changes(place: Place, spec: GraphSpec, task: TaskSpec) -> dict[str, Any]:
    """Of the graph, and of the graphs that it runs in parallel: the attempts are what has the task's turns."""
    nodes: dict[str, Any] = {}
    for name, node in spec.nodes.items():
        if isinstance(node, ParallelNode):
            inner = place.library.get(node.graph, variant=place.variant).spec
            nodes[name] = {"changes": {**_changes(place, inner, task), **(node.changes or {})}}
        elif isinstance(node, PolicyNode) and node.prompt == PLAIN_PROMPT and task.prompt != PLAIN_PROMPT:
            nodes[name] = {"prompt": task.prompt}
    found: dict[str, Any] = {"nodes": nodes} if nodes else {}
    if spec.tools.search is not None and spec.tools.search.tokens is None:
        found["tools"] = {"search": {"k": task.k}}
    combines = any(isinstance(node, ParallelNode) for node in spec.nodes.values())
    if spec.plugin(StepBudget) is not None and not combines:
        found["plugins"] = [
            {
                **plugin.model_dump(mode="json", exclude_none=True),
                **({"steps": task.steps} if isinstance(plugin, StepBudget) else {}),
            }
            for plugin in spec.plugins
        ]
    return found
