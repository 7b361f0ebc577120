"""A whole graph, overrides applied: frozen, closed, hashed."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import Field

from graphs.schema.closed import Closed
from graphs.schema.nodes import NodeSpec, ParallelNode, PolicyNode, ToolNode, ValueSelectNode
from graphs.schema.plugins import PLUGIN_OUTCOMES, PluginSpec
from graphs.schema.selection import STRATEGIES
from graphs.schema.tools import Tools
from store.types import Role

END = "end"
TURN_OUTCOMES = frozenset({"search", "answer", "malformed"})


class Limits(Closed):
    seconds: float | None = Field(
        default=None, gt=0, description="wall clock of one rollout; beyond it the rollout failed"
    )
    super_steps: int = Field(default=10_000, ge=4, description="LangGraph's recursion limit")


class Sampling(Closed):
    max_tokens: int = Field(default=2_048, ge=1, description="per turn")
    temperature: float = Field(default=1.0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)


class GraphSpec(Closed):
    """One graph, overrides applied. `edges`: node -> next node, or node -> {outcome: next node}; `end` is the end."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    description: str
    role: Role | None = Field(default=None, description="who the policy is; a graph of judges has none")
    tools: Tools = Tools()
    plugins: tuple[PluginSpec, ...] = ()
    limits: Limits = Limits()
    sampling: Sampling = Sampling()
    candidates: int = Field(default=8, ge=1, description="generator: pairs asked for")
    start: str
    nodes: dict[str, NodeSpec] = Field(min_length=1)
    edges: dict[str, str | dict[str, str]]

    @property
    def sha256(self) -> str:
        """Of the canonical form: key order and comments do not count, every effective value does."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def plugin(self, kind: type[Closed]) -> Any:
        """The first plugin of that kind, or None."""
        return next((plugin for plugin in self.plugins if isinstance(plugin, kind)), None)

    def outcomes(self, node: NodeSpec) -> frozenset[str]:
        """What a node can end with here; each needs a route."""
        return self._outcomes(node, frozenset(PLUGIN_OUTCOMES[plugin.kind] for plugin in self.plugins))

    def conceivable(self, node: NodeSpec) -> frozenset[str]:
        """What a node could end with under other plugins or another strategy: such routes may stay."""
        strategies = STRATEGIES if isinstance(node, ParallelNode) else frozenset[str]()
        return self._outcomes(node, frozenset(PLUGIN_OUTCOMES.values())) | strategies

    def _outcomes(self, node: NodeSpec, names: frozenset[str]) -> frozenset[str]:
        match node:
            case PolicyNode() | ValueSelectNode():
                return TURN_OUTCOMES | (names & {"exhausted"})
            case ToolNode():
                return frozenset({"ok"}) | (names & {"compress"})
            case ParallelNode():
                return frozenset({node.strategy, "failed"})
            case _:
                return frozenset({"ok"})

    def routes(self, name: str) -> dict[str, str]:
        """Outcome -> next node ("end" included)."""
        edge = self.edges[name]
        return dict.fromkeys(sorted(self.outcomes(self.nodes[name])), edge) if isinstance(edge, str) else edge
