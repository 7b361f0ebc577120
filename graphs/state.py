"""What runs through a graph: `GraphState`, a dataclass with the one mutable `Rollout` and the last node's outcome.

The rollout is one object, not a channel per field: copying token lists at every super-step would be quadratic.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from agents.conversation import Conversation
from agents.dialogue import Dialogue
from agents.errors import EngineError
from agents.witness import Witness
from graphs.events import Emit
from prompts.output import FinalAnswer, Parsed, ParsedCandidate, ParseFailure
from store.types import Failure, Hit, RolloutRecord, StepKind, StepRecord


class Example(NamedTuple):
    """A question-answer pair shown to the generator for its style."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class RolloutInputs:
    """What a rollout is about. `seeds`: passages shown at once (generator); `answers`: attempts to combine."""

    question: str = ""
    seeds: Sequence[Hit] = ()
    examples: Sequence[Example] = ()
    answers: Sequence[FinalAnswer] = ()


class Shown(NamedTuple):
    """A hit as a prompt sees it: numbered, its text collapsed and cut."""

    n: int
    title: str
    text: str
    key: str
    page: int | None


class CitationBook:
    """Numbers the chunks of one rollout by first appearance; a chunk shown again keeps its number."""

    def __init__(self) -> None:
        self._number: dict[int, int] = {}

    def show(self, hits: Sequence[Hit], *, max_chars: int) -> list[Shown]:
        return [
            Shown(
                self._number.setdefault(hit.chunk_id, len(self._number) + 1),
                hit.title,
                cut(hit.text, max_chars),
                hit.key,
                hit.page,
            )
            for hit in hits
        ]

    def number(self, chunk_ids: Sequence[int]) -> list[int]:
        """Their numbers; chunks that were never shown take the next ones."""
        return [self._number.setdefault(chunk_id, len(self._number) + 1) for chunk_id in chunk_ids]

    def resolve(self, numbers: Sequence[int]) -> list[int]:
        """Chunk ids of cited numbers; numbers that were never shown are left out."""
        chunks = list(self._number)
        return [chunks[number - 1] for number in numbers if 1 <= number <= len(chunks)]

    @property
    def chunk_ids(self) -> list[int]:
        return list(self._number)


def cut(text: str, max_chars: int) -> str:
    """Whitespace collapsed, at most `max_chars` characters."""
    return " ".join(text.split())[:max_chars].rstrip()


@dataclass(slots=True)
class Rollout:
    """One rollout in progress. `turns` leaves compressions out; `sessions` are open engine sessions."""

    key: str
    inputs: RolloutInputs
    seed: int
    temperature: float
    conversation: Dialogue
    book: CitationBook = field(default_factory=CitationBook)
    steps: list[StepRecord] = field(default_factory=list)
    turns: int = 0
    sampled_tokens: int = 0
    summary: str = ""
    opening: str = ""  # the prompt that opened the conversation; compression opens the next segment with it
    reading: str = ""  # the prompt that parses the turn being sampled: the opening one, or a node's instruction
    parsed: Parsed | ParseFailure | None = None
    answer: FinalAnswer | None = None
    candidates: list[ParsedCandidate] = field(default_factory=list)
    answers: list[FinalAnswer] = field(default_factory=list)
    attempts: list[RolloutRecord] = field(default_factory=list)
    batches: int = 0  # of attempts, one for each time that a parallel node ran
    failure: Failure | None = None
    sessions: set[str] = field(default_factory=set)
    lead: str = ""  # the engine session that holds the conversation, where it is a kept candidate's
    trainable: bool = True  # False: what was kept was selected, not sampled; or its tokens are unknown
    notes: dict[str, Any] = field(default_factory=dict)  # plugin kind -> what it keeps about this rollout
    began: float = field(default_factory=time.monotonic)
    emit: Emit | None = None  # who listens; asked before an event is built
    witness: Witness = field(default_factory=Witness)
    streams: bool = False  # the listener wants tokens as they are sampled, not only whole turns

    @property
    def tokens(self) -> Conversation:
        """The conversation, for what works on token ids. Raises: EngineError where they are unknown."""
        if not isinstance(self.conversation, Conversation):
            raise EngineError("a chat endpoint plays the policy: its token ids are unknown")
        return self.conversation

    @property
    def session(self) -> str:
        """One engine session per prompt: the prompt after a compression extends nothing."""
        return f"{self.key}/{self.conversation.opened}"

    def session_of(self, candidate: int) -> str:
        """The first candidate of a step goes on in the session that holds the conversation."""
        return f"{self.session}/{len(self.steps)}-{candidate}" if candidate else self.lead or self.session

    def record(self, kind: StepKind, text: str, **facts: Any) -> None:
        self.steps.append(StepRecord(kind=kind, text=text, **facts))


@dataclass(slots=True)
class GraphState:
    """The state of every graph. `values` holds what judge and python nodes read and write."""

    rollout: Rollout | None = None
    outcome: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
