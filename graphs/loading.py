"""From a graph's name to a `GraphRunner`, with the graphs that its parallel nodes run and the tools of MCP servers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_core.tools import BaseTool

from agents.judges import Judge
from agents.mcp_settings import McpServer
from agents.policy import Policy
from agents.tools import Searcher
from agents.values import ValueFunction
from graphs.library import Library
from graphs.occasions import check_tasks
from graphs.runner import GraphRunner, Trace
from graphs.schema import ParallelNode
from store.errors import UsageError

OpenServers = Callable[[Mapping[str, McpServer]], Sequence[BaseTool]]


def load_runner(
    name: str | Path,
    *,
    policy: Policy,
    searcher: Searcher | None = None,
    value: ValueFunction | None = None,
    judge: Judge | None = None,
    tools: Sequence[BaseTool] = (),
    graph_path: Sequence[Path] = (),
    prompt_path: Sequence[Path] = (),
    tasks: Sequence[str] = (),
    changes: Mapping[str, Any] | None = None,
    library: Library | None = None,
    open_servers: OpenServers | None = None,
    trace: Trace | None = None,
) -> GraphRunner:
    """A graph by name, or a file, in the policy's variant.

    `tasks`: its overrides of these names; `changes`: a last layer over it (not over inner graphs). With `library`
    the graphs are those that it holds, for its own tasks, whatever the files say by now. `open_servers` gives the tools
    of MCP servers for this graph and for those that it runs. Raises: UsageError; what `open_servers` raises.
    """
    if library is None:
        beside = [name.parent, *graph_path] if isinstance(name, Path) else graph_path
        library = Library(graph_path=beside, prompt_path=prompt_path, tasks=tasks)
        library.get(name, variant=policy.profile.prompt_variant, changes=changes)
        check_tasks(tasks, library.specs, prompt_path=prompt_path)
    elif tasks:
        raise UsageError("tasks: the library read its graphs for tasks of its own; give them to Library(tasks=...)")
    loader = _Loader(library, policy, searcher, value, judge, tools, open_servers)
    return loader.runner(name, changes, trace=trace)


@dataclass(frozen=True)
class _Loader:
    """What a graph and the graphs that it runs have in common."""

    library: Library
    policy: Policy
    searcher: Searcher | None
    value: ValueFunction | None
    judge: Judge | None
    tools: Sequence[BaseTool]
    open_servers: OpenServers | None

    def runner(self, name: str | Path, changes: Mapping[str, Any] | None, *, trace: Trace | None = None) -> GraphRunner:
        spec, prompts = self.library.get(name, variant=self.policy.profile.prompt_variant, changes=changes)
        inner = {node.runner: node for node in spec.nodes.values() if isinstance(node, ParallelNode)}
        runners = {key: self.runner(node.graph, node.changes) for key, node in inner.items()}
        served = self.open_servers(spec.tools.mcp) if self.open_servers and spec.tools.mcp else ()
        return GraphRunner(
            spec,
            policy=self.policy,
            searcher=self.searcher,
            value=self.value,
            judge=self.judge,
            tools=[*self.tools, *served],
            prompts=prompts,
            runners=runners,
            trace=trace,
        )
