"""`nodes`: one model per kind; its docstring names the outcomes that it can end with."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, StringConstraints

from graphs.schema.node import Node, SpeakingNode
from graphs.schema.selection import ParallelNode, ValueSelectNode, VoteNode
from graphs.schema.stage import StageNode


class PolicyNode(SpeakingNode):
    """One turn of the policy. Outcomes: search, answer, malformed, and those of the budgets."""

    kind: Literal["policy"]
    prompt: str = Field(description="opens the conversation when this node is the first to speak")
    instruction: str | None = Field(
        default=None,
        description="prompt put to the policy as a user turn each time this node is entered; it also parses that turn",
    )


class ToolNode(Node):
    """Carries out the calls of the turn before, or answers a malformed turn. Outcomes: ok, compress."""

    kind: Literal["tool"]
    tool: Literal["search", "any"] = Field(
        default="any", description="`search`: the graph must configure it; a turn may call every tool of the graph"
    )
    result: str = Field(default="search_result", description="prompt that writes the hits")
    correction: str = Field(default="correction", description="prompt that answers a turn without any action")
    refusal: str = Field(default="refused_call", description="prompt that answers a call that can't be carried out")


class CompressNode(SpeakingNode):
    """The policy summarises its history; a new segment begins. Outcome: ok."""

    kind: Literal["compress"]
    prompt: str = Field(default="compressor", description="prompt that asks for the summary")
    candidates: int = Field(default=1, ge=1, le=64, description="summaries sampled; the best is kept")


class JudgeNode(Node):
    """Asks a judge about the graph's inputs. Outcome: ok."""

    kind: Literal["judge"]
    judge: Literal["duplicate", "quality"] = Field(
        description="duplicate: near repeats in a set of questions; quality: whether one question is sound"
    )
    top: int = Field(default=10, ge=1, description="duplicate: how many nearest questions each one is compared with")
    threshold: float = Field(default=0.2, ge=0, le=1, description="duplicate: least similarity of a pair worth judging")


class PythonNode(Node):
    """`module:function`, an async function of the graph's state that returns a partial update. Outcomes: those listed.

    The module may lie beside the graph file, or in the folder above it.
    """

    kind: Literal["python"]
    function: str = Field(
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$",
        description="`module:function`, an `async def function(state: GraphState) -> dict[str, Any]`",
    )
    outcomes: tuple[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")], ...] = Field(
        default=("ok",),
        min_length=1,
        description="what it may return as `outcome`, each with a route; without one it ends with `ok`",
    )


NodeSpec = Annotated[
    PolicyNode
    | ValueSelectNode
    | ToolNode
    | CompressNode
    | ParallelNode
    | VoteNode
    | JudgeNode
    | PythonNode
    | StageNode,
    Field(discriminator="kind"),
]
NODE_KINDS: dict[str, type[Node]] = {
    get_args(model.model_fields["kind"].annotation)[0]: model for model in get_args(get_args(NodeSpec)[0])
}
