"""What a graph gives back: an `Answer`, frozen, with its citations resolved; or `AnswerFailed`, which carries one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from store.attempt_keys import attempt_place
from store.errors import KarlError
from store.types import CandidateRecord, Failure, Provenance, RolloutRecord, RolloutStatus, StepKind, StepRecord


@dataclass(frozen=True, slots=True)
class Citation:
    """A chunk that the answer rests on. `page` counts from 1 (PDFs); `document`: path below the corpus's folder."""

    chunk_id: int
    key: str
    title: str
    page: int | None
    text: str
    document: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """A question-answer pair of a generator graph. `problem`: why it is malformed, None for a good one."""

    question: str
    answer: str
    nuggets: tuple[str, ...]
    citations: tuple[Citation, ...]
    problem: str | None


@dataclass(frozen=True, slots=True)
class Usage:
    """What was spent, attempts included. Each request counts its whole prompt: `prompt_tokens` is what was read.

    `sampled_tokens` are those of turns that were kept; `discarded_tokens` those of candidates that lost to them.
    """

    prompt_tokens: int
    sampled_tokens: int
    discarded_tokens: int
    turns: int
    searches: int
    compressions: int


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds, which add up to `total`. Attempts run side by side: of each parallel node the one that ends last counts.

    `queued`: waited for a free place under `concurrency`, by an attempt itself or by the one that ends last;
    `attempts`: how long that one ran; `overhead`: what nothing else took.
    """

    total: float
    policy: float
    tool: float
    attempts: float
    queued: float
    overhead: float


@dataclass(frozen=True, slots=True)
class Answer:
    """One rollout of a graph, whatever its end: `ok` tells. `trace_id` finds it in the store (`karl.load_trace`).

    `confidence` is in [0, 1], None where the policy stated none; `proposals` are a generator's, whose `answer` is "".
    """

    question: str
    answer: str
    explanation: str
    confidence: float | None
    citations: tuple[Citation, ...]
    trace_id: str
    status: RolloutStatus
    failure: Failure | None
    usage: Usage
    timings: Timings
    attempts: tuple[Answer, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    record: RolloutRecord = field(repr=False, kw_only=True)

    @property
    def ok(self) -> bool:
        return self.failure is None

    @property
    def provenance(self) -> Provenance:
        """Which agent answered: the hashes of graph, prompts and functions, the model and its version."""
        return self.record.provenance

    @property
    def queries(self) -> tuple[str, ...]:
        """What was searched for, in order; the attempts' own queries are theirs."""
        return tuple(query for step in self.record.steps for query in step.queries)

    def __str__(self) -> str:
        return self.answer if self.failure is None else f"no answer: {self.failure.reason}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, with the queries and the provenance; the raw record is left out."""
        values = {name: getattr(self, name) for name in self.__slots__ if name not in ("record", "attempts")}
        for name in ("failure", "usage", "timings"):
            values[name] = asdict(values[name]) if values[name] is not None else None
        for name in ("citations", "proposals"):
            values[name] = [asdict(item) for item in values[name]]
        return {
            **values,
            "status": str(self.status),
            "queries": list(self.queries),
            "provenance": asdict(self.provenance),
            "attempts": [attempt.as_dict() for attempt in self.attempts],
        }


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of every stream, after `AnswerGiven` or `Failed`: what `ainvoke` would have returned."""

    rollout: str
    result: Answer


class AnswerFailed(KarlError):
    """The rollout ended without an answer. `result` says how far it came and why; it is stored like any other."""

    def __init__(self, result: Answer) -> None:
        reason = result.failure.reason if result.failure else "no reason was recorded"
        super().__init__(f"no answer to {result.question[:120]!r}: {reason} (trace {result.trace_id})")
        self.result = result

    def __reduce__(self) -> tuple[type[AnswerFailed], tuple[Answer]]:
        # Exceptions pickle by their message otherwise, and process pools pickle them.
        return AnswerFailed, (self.result,)


def make_answer(record: RolloutRecord, *, chunks: Mapping[int, Citation]) -> Answer:
    """`chunks`: every cited chunk that still exists."""
    attempts = tuple(make_answer(attempt, chunks=chunks) for attempt in record.attempts)
    return Answer(
        question=record.question,
        answer=record.answer,
        explanation=record.explanation or "",
        confidence=record.confidence,
        citations=_cited(record.citations, chunks),
        trace_id=record.key,
        status=record.status,
        failure=record.failure,
        usage=_usage(record, attempts),
        timings=_timings(record, attempts),
        attempts=attempts,
        proposals=tuple(_proposal(candidate, chunks) for candidate in record.candidates),
        record=record,
    )


def cited_chunks(record: RolloutRecord) -> set[int]:
    """Ids of all chunks that the answer, its attempts and its proposals cite."""
    own = {*record.citations, *(id_ for candidate in record.candidates for id_ in candidate.citations)}
    return own.union(*(cited_chunks(attempt) for attempt in record.attempts))


def _cited(ids: Iterable[int], chunks: Mapping[int, Citation]) -> tuple[Citation, ...]:
    return tuple(chunks[id_] for id_ in dict.fromkeys(ids) if id_ in chunks)


def _proposal(candidate: CandidateRecord, chunks: Mapping[int, Citation]) -> Proposal:
    cited = _cited(candidate.citations, chunks)
    return Proposal(candidate.question, candidate.answer, tuple(candidate.nuggets), cited, candidate.problem)


def _usage(record: RolloutRecord, attempts: tuple[Answer, ...]) -> Usage:
    compressions = sum(step.kind is StepKind.COMPRESS for step in record.steps)
    spent = [attempt.usage for attempt in attempts]
    return Usage(
        prompt_tokens=sum(map(_read_tokens, record.steps)) + sum(u.prompt_tokens for u in spent),
        sampled_tokens=record.sampled_tokens + sum(u.sampled_tokens for u in spent),
        discarded_tokens=record.discarded_tokens + sum(u.discarded_tokens for u in spent),
        turns=sum(map(_is_turn, record.steps)) + sum(u.turns for u in spent),
        searches=record.searches + sum(u.searches for u in spent),
        compressions=compressions + sum(u.compressions for u in spent),
    )


def _read_tokens(step: StepRecord) -> int:
    """Every candidate of a step reads the same prompt."""
    return step.prompt_tokens * max(1, len(step.alternatives))


def _is_turn(step: StepRecord) -> bool:
    vote = bool(step.alternatives) and not step.prompt_tokens
    return step.kind is not StepKind.COMPRESS and not vote


def _timings(record: RolloutRecord, attempts: tuple[Answer, ...]) -> Timings:
    policy = sum(step.policy_seconds for step in record.steps)
    tool = sum(step.tool_seconds for step in record.steps)
    last_ones = _ended_last(attempts)
    ran = sum(last.total - last.queued for last in last_ones)
    waited = sum(last.queued for last in last_ones)
    overhead = max(0.0, record.seconds - policy - tool - ran - waited)
    return Timings(record.queued + record.seconds, policy, tool, ran, record.queued + waited, overhead)


def _ended_last(attempts: Iterable[Answer]) -> list[Timings]:
    """Of each batch of attempts the one that ended last."""
    batches: dict[int, list[Timings]] = {}
    for attempt in attempts:
        batches.setdefault(attempt_place(attempt.trace_id).batch, []).append(attempt.timings)
    return [max(timings, key=lambda spent: spent.total) for timings in batches.values()]
