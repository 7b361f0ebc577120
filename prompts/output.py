"""What a prompt asks the model to write, declared in its front matter, and what parsing gives back.

Citations are `[n]` whatever the parser.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, Field, model_validator

Action = Literal["search", "answer", "candidates", "summary"]
CallFormatName = Literal["tags", "hermes", "qwen_xml", "glm", "llama", "mistral", "json"]


class CandidateFormat(BaseModel, frozen=True, extra="forbid"):
    """How a generator writes its question-answer pairs."""

    container: Literal["candidate", "question"] = Field(
        default="candidate",
        description="`candidate`: <candidate> blocks; `question`: a bare <question> with the <answer> after it",
    )
    nuggets: Literal["tags", "split"] = Field(
        default="tags", description="<nugget> tags, or the answer cut at `separator`"
    )
    separator: str = Field(default=", ", min_length=1)
    citations: Literal["required", "shown"] = Field(
        default="required",
        description="`shown`: a pair that cites nothing is held to cite every chunk shown in its rollout",
    )


class OutputSpec(BaseModel, frozen=True, extra="forbid"):
    """How a turn is written. `typed`: the caller has the schema (judges); `none`: no output."""

    parser: Literal["tags", "json", "blocks", "tool_calls", "typed", "none"] = Field(
        default="none",
        description="`tags`: <search>, <answer>, <summary>...; `json`: one object with those keys; `blocks`: lines "
        "'Explanation:', 'Exact Answer:', 'Confidence:'; `tool_calls`: what is no call is the answer",
    )
    actions: tuple[Action, ...] = Field(default=(), description="what a turn may do, tool calls aside")
    calls: CallFormatName | Literal["auto", "none"] = Field(
        default="none", description="how tools are called; auto: as the graph says, else as the chat template writes it"
    )
    bare_summary: bool = Field(default=False, description="a turn without <summary> is the summary as a whole")
    candidate: CandidateFormat = CandidateFormat()

    @model_validator(mode="before")
    @classmethod
    def _calls_of_their_own_parser(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("parser") == "tool_calls":
            return {"calls": "auto", "actions": ("answer",), **data}
        return data


@dataclass(frozen=True, slots=True)
class ToolCall:
    """`problem` says why it can't be carried out (`name` may be empty then); `text` is the call as it was written."""

    name: str
    arguments: dict[str, Any]
    problem: str | None = None
    text: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class ToolCalls:
    """One or more, in the order of writing."""

    calls: tuple[ToolCall, ...]

    @classmethod
    def search(cls, *queries: str) -> ToolCalls:
        return cls(tuple(ToolCall("search", {"query": query}) for query in queries))

    @property
    def query(self) -> str | None:
        """Of the first search that can be carried out."""
        valid = (call for call in self.calls if call.name == "search" and call.problem is None)
        return next((str(call.arguments.get("query", "")) for call in valid), None)


@dataclass(frozen=True, slots=True)
class FinalAnswer:
    """`confidence` in [0, 1]; `citations` are the [n] of the whole turn, in order of first mention."""

    text: str
    explanation: str = ""
    confidence: float | None = None
    citations: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ParsedCandidate:
    """One proposed pair. `citations` are the [n] written in it; `problem` says why it is malformed."""

    question: str
    answer: str
    nuggets: tuple[str, ...]
    citations: tuple[int, ...]
    text: str
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class CandidateSet:
    candidates: tuple[ParsedCandidate, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    text: str


@dataclass(frozen=True, slots=True)
class ParseFailure:
    """A turn that says nothing the prompt's parser knows; the text is kept."""

    reason: str
    text: str


Parsed = ToolCalls | FinalAnswer | CandidateSet | Summary
