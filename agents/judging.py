"""What a judge decides and says. `RuleJudge` and `LlmJudge` both answer to `Judge`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

Label = Literal["support", "partial_support", "not_support"]
Aliases = Sequence[Sequence[str]]


class TokenUsage(NamedTuple):
    """What judging cost, retries included; zeros: no model was asked."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def plus(self, other: TokenUsage) -> TokenUsage:
        return TokenUsage(*(ours + theirs for ours, theirs in zip(self, other, strict=True)))


class Score(NamedTuple):
    """Nugget completion in [0, 1]; `labels`: one per nugget, in their order; `judge`: "rule" or the model's name."""

    value: float
    labels: list[Label]
    judge: str
    reason: str
    prompt_sha256: str = ""
    usage: TokenUsage = TokenUsage()


class Pair(NamedTuple):
    question: str
    answer: str


class Duplicate(NamedTuple):
    duplicate: bool
    reason: str
    judge: str
    prompt_sha256: str = ""


class Equivalence(NamedTuple):
    """Whether two answers to one question say the same."""

    equivalent: bool
    reason: str
    judge: str
    prompt_sha256: str = ""


class Attempt(NamedTuple):
    """How one rollout ended: its answer, its score in [0, 1], its last turn's text."""

    answer: str
    score: float
    text: str = ""


@dataclass(frozen=True, slots=True)
class QualityCase:
    """`evidence`: texts of the chunks that the reference cites."""

    question: str
    answer: str
    nuggets: Sequence[str]
    evidence: Sequence[str]
    attempts: Sequence[Attempt]


class Quality(NamedTuple):
    valid: bool
    reasons: list[str]
    judge: str
    prompt_sha256: str = ""


class Judge(Protocol):
    """Raises `agents.errors.JudgeError` when it can't decide; never guesses."""

    @property
    def name(self) -> str: ...

    async def score(self, answer: str, *, question: str, nuggets: Sequence[str], aliases: Aliases = ()) -> Score:
        """`aliases`: of each nugget the other wordings that say the same; empty, or one entry per nugget."""
        ...

    async def duplicate(self, first: Pair, second: Pair) -> Duplicate: ...

    async def equivalent(self, first: str, second: str, *, question: str) -> Equivalence: ...

    async def quality(self, case: QualityCase) -> Quality: ...
