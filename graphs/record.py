"""What is left of a rollout: did it bring what its role is for, and the `RolloutRecord` that says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from agents.errors import BudgetError, ParseError
from agents.judges import normalise
from graphs.events import AnswerGiven, Failed
from graphs.state import Rollout
from prompts import Prompt
from prompts.output import Parsed, ParsedCandidate, ParseFailure, ToolCalls
from store.types import CandidateRecord, Failure, FailureKind, Provenance, Purpose, Role, RolloutRecord, RolloutStatus

# The policy's own fault; everything else is the environment's.
_POLICY_FAULTS = frozenset({FailureKind.BUDGET, FailureKind.PARSE})


class Made(NamedTuple):
    """By whom, what for, from what, and how long it took: what the rollout itself does not know."""

    role: Role
    purpose: Purpose
    provenance: Provenance
    seconds: float


def check_end(rollout: Rollout, role: Role) -> None:
    """Raises: BudgetError or ParseError when the graph ended without what its role is for; the policy's own fault."""
    if rollout.failure is not None:
        raise BudgetError(rollout.failure.reason)
    generates = role is Role.GENERATOR
    if rollout.candidates if generates else rollout.answer is not None:
        return
    missing = "candidates" if generates else "answer"
    if fault := _fault(rollout.parsed):
        raise ParseError(f"no {missing} after {rollout.turns} turns; the last one: {fault}")
    raise BudgetError(f"no {missing} after {rollout.turns} turns and {rollout.sampled_tokens} sampled tokens")


def record_of(rollout: Rollout, failure: Failure | None, *, made: Made, prompts: Mapping[str, Prompt]) -> RolloutRecord:
    """Of a rollout that is over. A failed one keeps its steps and segments, and brings nothing."""
    answer = rollout.answer if failure is None else None
    return RolloutRecord(
        key=rollout.key,
        **made._asdict(),
        status=_status(failure),
        question=rollout.inputs.question,
        answer=answer.text if answer else "",
        explanation=answer.explanation if answer else "",
        confidence=answer.confidence if answer else None,
        citations=rollout.book.resolve(answer.citations) if answer else [],
        steps=rollout.steps,
        segments=rollout.witness.sign(rollout.conversation.segments()),
        candidates=[] if failure else _candidates(rollout, prompts),
        failure=failure,
        temperature=rollout.temperature,
        seed=rollout.seed,
        attempts=rollout.attempts,
        trainable=rollout.trainable,
    )


def last_word(record: RolloutRecord) -> AnswerGiven | Failed:
    """The event that ends every rollout."""
    if record.failure is not None:
        return Failed(record.key, record.failure)
    said = (record.answer, record.explanation or "", record.confidence, tuple(record.citations))
    return AnswerGiven(record.key, *said)


def _candidates(rollout: Rollout, prompts: Mapping[str, Prompt]) -> list[CandidateRecord]:
    if not rollout.candidates:
        return []
    by_default = prompts[rollout.opening].output.candidate.citations == "shown"
    shown = rollout.book.chunk_ids if by_default else []
    return [_candidate(found, rollout.book.resolve(found.citations) or shown) for found in rollout.candidates]


def _candidate(found: ParsedCandidate, chunks: list[int]) -> CandidateRecord:
    """`chunks`: what it cites, as ids of the store."""
    problem = found.problem or (None if chunks else "cites no passage that was shown")
    if problem is None and not any(normalise(nugget) for nugget in found.nuggets):
        problem = "the answer holds no word to judge by"
    return CandidateRecord(found.question, found.answer, list(found.nuggets), chunks, found.text, problem)


def _fault(parsed: Parsed | ParseFailure | None) -> str | None:
    """What was wrong with the last turn, if nothing in it could be carried out."""
    match parsed:
        case ParseFailure(reason):
            return reason
        case ToolCalls(calls) if all(call.problem for call in calls):
            return calls[-1].problem
        case _:
            return None


def _status(failure: Failure | None) -> RolloutStatus:
    if failure is None:
        return RolloutStatus.FINISHED
    return RolloutStatus.UNFINISHED if failure.kind in _POLICY_FAULTS else RolloutStatus.FAILED
