"""Values that cross rooms: enums of the funnel, hits, and the record that a finished rollout leaves behind.

Plain dataclasses, no database: graphs fill them, `store.queries` writes them as rows, rl_backend reads the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec


class Role(StrEnum):
    """Who the policy was in a rollout. One model plays all of them (KARL, section 1)."""

    GENERATOR = "generator"
    SOLVER = "solver"
    AGGREGATOR = "aggregator"


class Purpose(StrEnum):
    """Why a rollout was made. Only `TRAIN` rollouts may enter a dataset."""

    DEMONSTRATE = "demonstrate"
    SYNTHESIZE = "synthesize"
    TRAIN = "train"
    EVALUATE = "evaluate"
    ASK = "ask"


class RolloutStatus(StrEnum):
    """`FAILED`: the environment failed; the rollout has no reward and leaves its group (counted, never scored 0)."""

    FINISHED = "finished"
    UNFINISHED = "unfinished"  # the policy ran out of its own budget: reward 0, it is the policy's fault
    FAILED = "failed"


class FailureKind(StrEnum):
    ENGINE = "engine"
    TOOL = "tool"
    PARSE = "parse"
    BUDGET = "budget"
    TIMEOUT = "timeout"
    JUDGE = "judge"


class StepKind(StrEnum):
    SEARCH = "search"
    ANSWER = "answer"
    COMPRESS = "compress"
    MALFORMED = "malformed"
    TOOL = "tool"  # at least one call of a tool other than the search


class Fate(StrEnum):
    """Where a synthesised question stands; the terminal ones say which filter dropped it."""

    PROPOSED = "proposed"
    MALFORMED = "malformed"
    DUPLICATE = "duplicate"
    DEDUPLICATED = "deduplicated"
    INCOMPLETE = "incomplete"  # too few rollouts came back from the environment
    ALL_CORRECT = "all_correct"
    ALL_WRONG = "all_wrong"
    MIXED = "mixed"
    INVALID = "invalid"
    KEPT = "kept"
    HELD_OUT = "held_out"


class VoteKind(StrEnum):
    """What a person said of the answers of several systems to one question."""

    WINNER = "winner"
    TIE = "tie"
    NONE = "none"  # all bad


class Stage(StrEnum):
    """Stages of one iteration, in order."""

    SYNTHESIZE = "synthesize"
    DEDUPLICATE = "deduplicate"
    SOLVE = "solve"
    FILTER = "filter"
    TRAIN = "train"
    EVALUATE = "evaluate"


class RunState(StrEnum):
    RUNNING = "running"
    STOPPED = "stopped"
    DONE = "done"
    FAILED = "failed"


class Algorithm(StrEnum):
    BASE = "base"
    OAPL = "oapl"
    SFT = "sft"
    GRPO = "grpo"


class Hit(msgspec.Struct, frozen=True, gc=False):
    """One search result. `chunk_id` is the row's id; `key` the stable, human-readable one (`notes/mira.md#0`).

    path: of its document in the corpus; headings: those above the text, outermost first; metadata: of the document.
    Invisible to the garbage collector, which walks through everything that caches keep: it is in no cycle.
    """

    chunk_id: int
    key: str
    title: str
    text: str
    score: float
    page: int | None = None
    dense_score: float | None = None
    bm25_score: float | None = None
    path: str = ""
    headings: tuple[str, ...] = ()
    metadata: Mapping[str, str | int] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SegmentRecord:
    """What the engine saw and sampled between two compressions.

    token_ids: T ids, prompt and sampled together; loss_mask: T of 0/1, 1 on sampled tokens only;
    logprobs: T floats in nats at temperature 1, 0.0 where the mask is 0.
    """

    token_ids: list[int]
    loss_mask: list[int]
    logprobs: list[float]
    compression: bool = False  # x = the history to compress, y = the summary (KARL, section 5)
    engine_crc: int | None = None  # CRC-32 of the int32 ids that the engine saw and sampled; 0: others than these

    def __post_init__(self) -> None:
        if not len(self.token_ids) == len(self.loss_mask) == len(self.logprobs):
            raise ValueError(
                f"segment of {len(self.token_ids)} tokens, {len(self.loss_mask)} mask bits, "
                f"{len(self.logprobs)} log-probs"
            )


@dataclass(frozen=True, slots=True)
class ToolCallRecord:
    """One call of a turn. `reply`: what a tool other than the search said; `error`: why a call was not carried out."""

    tool: str
    arguments: dict[str, Any] = field(default_factory=dict)
    hits: list[int] = field(default_factory=list)
    reply: str = ""
    error: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class AlternativeRecord:
    """One of several: a candidate of a value-guided step, or an answer in a vote; the kept one is among them.

    value: of the value function that is named, or what the answer won in the vote.
    """

    text: str
    value: float
    kept: bool
    sampled_tokens: int = 0
    value_function: str = ""


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One decision of the policy and what came of it.

    query: the turn's first search; hits: chunk ids of all its searches, in order; calls: every call, searches included;
    value: of the kept candidate, where candidates were compared.
    """

    kind: StepKind
    text: str
    query: str | None = None
    hits: list[int] = field(default_factory=list)
    prompt_tokens: int = 0
    sampled_tokens: int = 0
    policy_seconds: float = 0.0
    tool_seconds: float = 0.0
    calls: list[ToolCallRecord] = field(default_factory=list)
    alternatives: list[AlternativeRecord] = field(default_factory=list)
    value: float | None = None

    @property
    def queries(self) -> list[str]:
        """Of all searches that were carried out, in order; of a row from before calls were kept, its one query."""
        if self.calls:
            carried_out = [call.arguments for call in self.calls if call.tool == "search" and call.error is None]
            return [str(query) for given in carried_out for query in (given.get("query", ""), *given.get("more", ()))]
        # A turn that ended the rollout before a tool node came to its search has a query too, but no search.
        came_back = bool(self.hits) or self.tool_seconds > 0
        return [self.query] if self.query is not None and came_back else []


@dataclass(frozen=True, slots=True)
class Failure:
    kind: FailureKind
    reason: str
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Stamped on every row that a model produced."""

    graph: str
    graph_sha256: str
    prompt_sha256: dict[str, str]
    model: str
    policy_version: int


@dataclass(frozen=True, slots=True)
class CandidateRecord:
    """One question that a generator proposed. `problem` is set when it is malformed; the text is kept either way."""

    question: str
    answer: str
    nuggets: list[str]
    citations: list[int]
    text: str = ""
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class RolloutRecord:
    """A finished run of one graph, whatever its end. Reward is None until a judge has scored it."""

    key: str  # deterministic: the same unit of work has the same key in a resumed run
    role: Role
    purpose: Purpose
    status: RolloutStatus
    provenance: Provenance
    question: str
    answer: str = ""
    explanation: str | None = ""  # what led to the answer; None: read from a row that is older than this field
    confidence: float | None = None
    citations: list[int] = field(default_factory=list)
    steps: list[StepRecord] = field(default_factory=list)
    segments: list[SegmentRecord] = field(default_factory=list)
    candidates: list[CandidateRecord] = field(default_factory=list)
    failure: Failure | None = None
    temperature: float = 1.0
    seed: int = 0
    seconds: float = 0.0  # from its own start to its end
    queued: float = 0.0  # seconds that an attempt waited for a free place before it began; not part of `seconds`
    began: float = 0.0  # seconds from the start of the rollout that it is an attempt of to its own start
    attempts: list[RolloutRecord] = field(default_factory=list)  # rollouts that this one combined (aggregator)
    trainable: bool = True  # False: its tokens are unknown or were selected; never enters a dataset

    @property
    def searches(self) -> int:
        """Those carried out: every one of a turn, none that was refused."""
        return sum(len(step.queries) for step in self.steps)

    @property
    def sampled_tokens(self) -> int:
        """Kept ones only: those that the segments hold."""
        return sum(step.sampled_tokens for step in self.steps)

    @property
    def discarded_tokens(self) -> int:
        """Sampled for candidates that were not kept; attempts not counted."""
        return sum(other.sampled_tokens for step in self.steps for other in step.alternatives if not other.kept)
