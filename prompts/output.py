"""What a prompt asks the model to write, declared in its front matter, and what parsing gives back.

One tag protocol: `<search>`, `<answer>`, `<confidence>`, `<candidate>`, `<summary>`; citations are `[n]`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, Field

Action = Literal["search", "answer", "candidates", "summary"]


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
    """`tags`: the actions a turn may take; `typed`: the caller has the schema (judges); `none`: no output."""

    parser: Literal["tags", "typed", "none"] = "none"
    actions: tuple[Action, ...] = ()
    bare_summary: bool = Field(default=False, description="a turn without <summary> is the summary as a whole")
    candidate: CandidateFormat = CandidateFormat()


@dataclass(frozen=True, slots=True)
class SearchCall:
    query: str


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


Parsed = SearchCall | FinalAnswer | CandidateSet | Summary
