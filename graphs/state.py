"""What runs through a graph: `GraphState`, a dataclass with the one mutable `Rollout` and the last node's outcome.

The rollout is one object, not a channel per field: copying token lists at every super-step would be quadratic.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from agents.conversation import Conversation
from agents.dialogue import Dialogue
from agents.errors import EngineError
from agents.witness import Witness
from graphs.events import Emit
from prompts.output import FinalAnswer, Parsed, ParsedCandidate, ParseFailure
from store.types import Failure, Hit, RolloutRecord, StepKind, StepRecord

Seen = Literal["repeat", "mark", "leave_out"]


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
    """A hit as a prompt sees it: numbered, its text cut. seen: it was shown before, and its text is left out."""

    n: int
    title: str
    text: str
    key: str
    page: int | None
    path: str = ""
    headings: tuple[str, ...] = ()
    metadata: Mapping[str, str | int] = MappingProxyType({})
    seen: bool = False


class CitationBook:
    """Numbers the chunks of one rollout by first appearance; a chunk shown again keeps its number."""

    def __init__(self) -> None:
        self._number: dict[int, int] = {}
        self._segment, self._in_sight = 0, set[int]()

    def show(
        self, hits: Sequence[Hit], *, max_chars: int, lines: bool = False, seen: Seen = "repeat", segment: int = 0
    ) -> list[Shown]:
        """segment: of the conversation; what an earlier one showed is out of sight, and so not seen."""
        if segment != self._segment:
            self._segment, self._in_sight = segment, set()
        before = self._in_sight if seen != "repeat" else frozenset[int]()
        chosen = [hit for hit in hits if seen != "leave_out" or hit.chunk_id not in before] or hits
        shown = [self._shown(hit, max_chars, lines=lines, seen=hit.chunk_id in before) for hit in chosen]
        self._in_sight |= {hit.chunk_id for hit in hits}
        return shown

    def _shown(self, hit: Hit, max_chars: int, *, lines: bool, seen: bool) -> Shown:
        return Shown(
            self._number.setdefault(hit.chunk_id, len(self._number) + 1),
            hit.title,
            "" if seen else cut_lines(hit.text, max_chars) if lines else cut(hit.text, max_chars),
            hit.key,
            hit.page,
            hit.path,
            hit.headings,
            hit.metadata,
            seen,
        )

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


def cut_lines(text: str, max_chars: int) -> str:
    """At most `max_chars` characters, at the end of a line where that costs less than a tenth."""
    if len(text) <= max_chars:
        return text
    whole, _, rest = text[: max_chars + 1].rpartition("\n")
    return whole.rstrip() if whole and 10 * len(rest) < max_chars else text[:max_chars].rstrip()


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
