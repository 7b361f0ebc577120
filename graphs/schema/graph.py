"""A whole graph, overrides applied: frozen, closed, hashed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, PrivateAttr

from graphs.schema.closed import Closed
from graphs.schema.layers import LayeredDocument
from graphs.schema.node import Sampling, SpeakingNode
from graphs.schema.nodes import NodeSpec, ParallelNode, PolicyNode, PythonNode, ToolNode, ValueSelectNode
from graphs.schema.plugins import BUILT_IN_PLUGINS, PluginSettings, PluginSpec
from graphs.schema.selection import STRATEGIES
from graphs.schema.tools import Tools
from prompts.closed_yaml import Path
from store.errors import UsageError
from store.types import Role

NAME = r"^[a-z][a-z0-9_]*$"
END = "end"
TURN_OUTCOMES = frozenset({"search", "answer", "malformed"})
StateName = Literal["rollout", "set", "case", "iteration"]


class Limits(Closed):
    """What one run of the graph may cost."""

    elsewhere: ClassVar[dict[str, str]] = {
        "steps": "turns are bounded by a plugin: plugins: [{kind: step_budget, steps: ...}]",
        "turns": "turns are bounded by a plugin: plugins: [{kind: step_budget, steps: ...}]",
        "tokens": "sampled tokens are bounded by a plugin: plugins: [{kind: token_budget, tokens: ...}]",
    }
    seconds: float | None = Field(
        default=None, gt=0, description="wall clock of one rollout; beyond it the rollout failed"
    )
    super_steps: int = Field(default=10_000, ge=4, description="LangGraph's recursion limit")


@dataclass
class Held:
    """What was read for a graph from elsewhere. No part of its meaning as a file, so not compared."""

    # Of python nodes and tools: (file that names it, reference) -> graphs.references.Referred.
    referred: dict[Any, Any] = field(default_factory=dict, compare=False)


class GraphSpec(Closed):
    """One graph, overrides applied. `edges`: node -> next node, or node -> {outcome: next node}; `end` is the end."""

    name: str = Field(pattern=NAME, description="the file's own name; may be left out")
    description: str = Field(description="what the graph is for, in a sentence; shown by `karl graph list`")
    state: StateName = Field(
        default="rollout",
        description="what the graph works on. rollout: a conversation of the policy; set: questions to be thinned out; "
        "case: one question to be judged; iteration: a round of the bootstrapping loop",
    )
    role: Role | None = Field(default=None, description="who the policy is; a graph of judges has none")
    tools: Tools = Field(default=Tools(), description="what a turn may call, and with which settings")
    plugins: tuple[PluginSpec, ...] = Field(
        default=(), description="budgets, compression, gates; asked in this order, the first outcome given wins"
    )
    limits: Limits = Field(default=Limits(), description="of one run of the graph")
    sampling: Sampling = Field(default=Sampling(), description="how the policy is sampled")
    candidates: int = Field(default=8, ge=1, description="generator: pairs asked for")
    start: str = Field(description="the first node")
    nodes: dict[str, NodeSpec] = Field(min_length=1, description="name -> what happens there")
    edges: dict[str, str | dict[str, str]] = Field(
        description="node -> next node, or node -> {outcome: next node}; `end` ends the graph"
    )
    _document: LayeredDocument | None = PrivateAttr(default=None)
    _held: Held = PrivateAttr(default_factory=Held)

    @property
    def sha256(self) -> str:
        """Of the canonical form: key order and comments do not count, every effective value does."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def document(self) -> LayeredDocument | None:
        """Where its keys stand; None when it was not read from a file."""
        return self._document

    @property
    def held(self) -> Held:
        """What was read for it so far; kept as long as the graph is."""
        return self._held

    def placed(self, document: LayeredDocument) -> Self:
        """The same graph, which knows where its keys stand."""
        self._document = document
        return self

    def error(self, path: Path, message: str, *, cause: Path = ()) -> UsageError:
        """A complaint about the key at `path`, with file, line and column where they are known.

        `cause`: the key to blame where the one at `path` stands in a shipped file that the user's graph extends.
        """
        if self._document is not None:
            return self._document.error(path, message, cause=cause)
        return UsageError(f"graph '{self.name}': key '{'.'.join(map(str, path))}': {message}")

    def plugin(self, kind: type[Closed]) -> Any:
        """The first plugin of that kind, or None."""
        return next((plugin for plugin in self.plugins if isinstance(plugin, kind)), None)

    def sampling_of(self, node: NodeSpec) -> Sampling:
        """The graph's sampling with the node's laid over it."""
        own = node.sampling.model_dump(exclude_none=True) if isinstance(node, SpeakingNode) else {}
        return self.sampling.model_copy(update=own)

    def outcomes(self, node: NodeSpec) -> frozenset[str]:
        """What a node can end with here; each needs a route."""
        return _outcomes(node, [type(plugin) for plugin in self.plugins])

    def conceivable(self, node: NodeSpec) -> frozenset[str]:
        """What a node could end with under other plugins or another strategy: such routes may stay."""
        strategies = STRATEGIES if isinstance(node, ParallelNode) else frozenset[str]()
        plugins = [*BUILT_IN_PLUGINS.values(), *(type(plugin) for plugin in self.plugins)]
        return _outcomes(node, plugins) | strategies

    def routes(self, name: str) -> dict[str, str]:
        """Outcome -> next node ("end" included)."""
        edge = self.edges[name]
        return dict.fromkeys(sorted(self.outcomes(self.nodes[name])), edge) if isinstance(edge, str) else edge


def _outcomes(node: NodeSpec, plugins: list[type[PluginSettings]]) -> frozenset[str]:
    match node:
        case PolicyNode() | ValueSelectNode():
            return TURN_OUTCOMES.union(*(plugin.turn_outcomes for plugin in plugins))
        case ToolNode():
            return frozenset({"ok"}).union(*(plugin.tool_outcomes for plugin in plugins))
        case ParallelNode():
            return frozenset({node.strategy, "failed"})
        case PythonNode():
            return frozenset(node.outcomes)
        case _:
            return frozenset({"ok"})
