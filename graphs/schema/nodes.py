"""`nodes`: one model per kind; its docstring names the outcomes that it can end with."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from graphs.schema.closed import Closed
from graphs.schema.selection import ParallelNode, ValueSelectNode, VoteNode


class PolicyNode(Closed):
    """One turn of the policy. Outcomes: search, answer, malformed, and those of the budgets."""

    kind: Literal["policy"]
    prompt: str = Field(description="opens the conversation when this node is the first to speak")
    instruction: str | None = Field(
        default=None,
        description="prompt put to the policy as a user turn each time this node is entered; it also parses that turn",
    )


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
    candidates: int = Field(default=1, ge=1, le=64, description="summaries sampled; the best is kept")


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
