"""The graph language: YAML -> a closed, frozen `GraphSpec`; what is wrong is named by file, line, column and key.

`load_spec(name, variant=...)` reads `<name>.yaml`, a user's folder before the built-in one, and applies
`overrides.<variant>`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from prompts.closed_yaml import YamlDocument, closest, read_yaml
from store.errors import UsageError
from store.types import Role

BUILT_IN = Path(__file__).parent
END = "end"
TURN_OUTCOMES = frozenset({"search", "answer", "malformed"})


class Closed(BaseModel):
    """Frozen; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SearchSettings(Closed):
    k: int = Field(default=20, ge=1, le=200, description="hits per query")
    max_chars: int = Field(default=4_000, ge=16, description="a hit's text is cut to this")


class Tools(Closed):
    search: SearchSettings | None = None


class StepBudget(Closed):
    """Ends the rollout after `steps` turns; the reply before the last one ends with the `last_call` prompt."""

    kind: Literal["step_budget"]
    steps: int = Field(ge=1, description="turns of the policy; compressions do not count")
    last_call: bool = True


class Compression(Closed):
    """When the open segment exceeds `trigger_tokens` after a tool's reply, the policy summarises its history."""

    kind: Literal["compression"]
    trigger_tokens: int = Field(ge=1)
    summary_tokens: int = Field(ge=1)


class TokenBudget(Closed):
    """Ends the rollout once it has sampled `tokens` tokens."""

    kind: Literal["token_budget"]
    tokens: int = Field(ge=1)


PluginSpec = Annotated[StepBudget | Compression | TokenBudget, Field(discriminator="kind")]
PLUGIN_OUTCOMES = {"step_budget": "exhausted", "token_budget": "exhausted", "compression": "compress"}


class Limits(Closed):
    seconds: float | None = Field(
        default=None, gt=0, description="wall clock of one rollout; beyond it the rollout failed"
    )
    super_steps: int = Field(default=10_000, ge=4, description="LangGraph's recursion limit")


class Sampling(Closed):
    max_tokens: int = Field(default=2_048, ge=1, description="per turn")
    temperature: float = Field(default=1.0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)


class PolicyNode(Closed):
    """One turn of the policy. Outcomes: search, answer, malformed, and those of the budgets."""

    kind: Literal["policy"]
    prompt: str = Field(description="opens the conversation when this node is the first to speak")


class ValueSelectNode(Closed):
    """A turn of which `candidates` are sampled from the same tokens; the one with the highest value is kept."""

    kind: Literal["value_select"]
    prompt: str
    candidates: int = Field(default=2, ge=1, le=64)


class ToolNode(Closed):
    """Carries out the search of the turn before, or answers a malformed turn. Outcomes: ok, compress."""

    kind: Literal["tool"]
    tool: Literal["search"]
    result: str = Field(default="search_result", description="prompt that writes the hits")
    correction: str = Field(default="correction", description="prompt that answers a malformed turn")


class CompressNode(Closed):
    """The policy summarises its history; a new segment begins. Outcome: ok."""

    kind: Literal["compress"]
    prompt: str = "compressor"


class ParallelNode(Closed):
    """`runs` independent rollouts of another graph. Outcomes: the `strategy`; failed when none of them answered."""

    kind: Literal["parallel"]
    graph: str
    runs: int = Field(default=3, ge=1, le=1_000)
    strategy: Literal["generative", "majority"] = "generative"


class VoteNode(Closed):
    """The answer that most attempts gave, compared in normal form. Outcome: ok."""

    kind: Literal["vote"]


class JudgeNode(Closed):
    """Asks a judge about the graph's inputs. Outcome: ok."""

    kind: Literal["judge"]
    judge: Literal["duplicate", "quality"]
    top: int = Field(default=10, ge=1, description="duplicate: how many nearest questions each one is compared with")
    threshold: float = Field(default=0.2, ge=0, le=1, description="duplicate: least similarity of a pair worth judging")


class PythonNode(Closed):
    """`module:function`, an async function of the graph's state that returns a partial update. Outcome: ok."""

    kind: Literal["python"]
    function: str = Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")


NodeSpec = Annotated[
    PolicyNode | ValueSelectNode | ToolNode | CompressNode | ParallelNode | VoteNode | JudgeNode | PythonNode,
    Field(discriminator="kind"),
]


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
        """What a node could end with under any plugins: such routes may stay when a plugin is taken out."""
        return self._outcomes(node, frozenset(PLUGIN_OUTCOMES.values()))

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


class _Overridden(BaseModel, extra="allow"):
    """Only the shape of `overrides`; what stands in it is checked after merging."""

    overrides: dict[str, dict[str, Any]] = Field(default_factory=dict)


def load_spec(name: str, *, variant: str = "", path: Sequence[Path] = ()) -> GraphSpec:
    """The graph `name` for `variant` (a graph without overrides for it is the same for all).

    Raises: UsageError naming file, line, column, key, what was expected and the closest valid name.
    """
    folders = [*path, BUILT_IN]
    for folder in folders:
        if (folder / f"{name}.yaml").is_file():
            return read_spec(folder / f"{name}.yaml", variant=variant)
    known = sorted({file.stem for folder in folders for file in folder.glob("*.yaml")})
    looked = ", ".join(map(str, folders))
    raise UsageError(f"no graph named '{name}' in {looked}; there are: {', '.join(known)}{closest(name, known)}")


def read_spec(path: Path, *, variant: str = "") -> GraphSpec:
    """One file, checked for all of its variants. Raises: UsageError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"{path}: can't be read: {exc}") from exc
    return parse_spec(text, source=str(path), variant=variant)


def parse_spec(text: str, *, source: str, variant: str = "") -> GraphSpec:
    """The text of a graph file. Raises: UsageError."""
    document = read_yaml(text, source=source)
    overrides = document.validate(_Overridden).overrides
    base = {key: value for key, value in document.data.items() if key != "overrides"}
    specs = {"": _checked(document, base, under=())}
    for name, changes in overrides.items():
        specs[name] = _checked(document, merge(base, changes), under=("overrides", name))
    return specs.get(variant, specs[""])


def merge(base: Any, changes: Any) -> Any:
    """`changes` laid over `base`, mapping by mapping; anything else, lists included, replaces."""
    if not (isinstance(base, dict) and isinstance(changes, dict)):
        return changes
    return {**base, **{key: merge(base[key], value) if key in base else value for key, value in changes.items()}}


def _checked(document: YamlDocument, data: dict[str, Any], *, under: tuple[str, ...]) -> GraphSpec:
    from graphs.checks import check_spec

    spec = document.validate(GraphSpec, data=data, under=under)
    check_spec(spec, document)
    return spec
