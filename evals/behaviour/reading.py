"""Rollout records to trajectories."""

from __future__ import annotations

from collections.abc import Sequence

from evals.behaviour.trajectory import Certainty, Finish, Limits, Proposal, Search, Trajectory
from evals.behaviour.words import Reader, WordReader
from store.types import FailureKind, RolloutRecord, RolloutStatus, StepKind, StepRecord

_WORDS = WordReader()


def trajectory_of(
    record: RolloutRecord, *, correct: bool | None = None, limits: Limits | None = None, reader: Reader = _WORDS
) -> Trajectory:
    """`correct`: the judge's verdict. Segments are not read: a record without its tokens will do.

    Raises: ValueError for a rollout that the environment failed; it has no behaviour to speak of.
    """
    if record.status is RolloutStatus.FAILED:
        raise ValueError(f"rollout {record.key} was failed by its environment: leave it out, and count it")
    limits = limits or Limits()
    steps = [step for step in record.steps if _is_turn(step)]
    searches = tuple(search for turn, step in enumerate(steps) for search in _searches(step, turn))
    finish = _finish(record, turns=len(steps), limits=limits, reader=reader)
    certainty = reader.certainty(f"{record.explanation or ''} {record.answer}", record.confidence)
    proposals = _proposals(record, steps, finish=finish, certainty=certainty, reader=reader)
    return Trajectory(
        question=record.question,
        context_tokens=tuple(step.prompt_tokens + step.sampled_tokens for step in steps),
        searches=searches,
        finish=finish,
        answer=record.answer,
        certainty=certainty if finish is Finish.ANSWERED else Certainty.OPEN,
        proposals=tuple(proposals),
        verifications=_verifications(proposals, searches, question=record.question, reader=reader),
        unchanged=finish is Finish.ANSWERED and all(reader.same(one.text, record.answer) for one in proposals),
        correct=correct,
        compressions=sum(step.kind is StepKind.COMPRESS for step in record.steps),
        peak_tokens=max((step.prompt_tokens + step.sampled_tokens for step in record.steps), default=0),
        limits=limits,
    )


def _is_turn(step: StepRecord) -> bool:
    """A summary is no decision about the question; a vote among attempts read and sampled nothing."""
    vote = bool(step.alternatives) and not step.prompt_tokens
    return step.kind is not StepKind.COMPRESS and not vote


def _searches(step: StepRecord, turn: int) -> list[Search]:
    """Those carried out; of a row from before calls were kept, its one query with all of the step's hits."""
    if not step.calls:
        return [Search(turn, query, tuple(step.hits)) for query in step.queries]
    carried_out = [call for call in step.calls if call.tool == "search" and call.error is None]
    return [Search(turn, str(call.arguments.get("query", "")), tuple(call.hits)) for call in carried_out]


def _finish(record: RolloutRecord, *, turns: int, limits: Limits, reader: Reader) -> Finish:
    """Stored as a parse failure, a rollout whose last allowed turn was malformed was ended by its budget too."""
    if record.status is RolloutStatus.FINISHED:
        return Finish.SILENT if reader.declines(record.answer) else Finish.ANSWERED
    out_of_budget = record.failure is None or record.failure.kind is FailureKind.BUDGET
    return Finish.TRUNCATED if out_of_budget or turns >= (limits.steps or turns + 1) else Finish.SILENT


def _proposals(
    record: RolloutRecord, steps: Sequence[StepRecord], *, finish: Finish, certainty: Certainty, reader: Reader
) -> list[Proposal]:
    answered = finish is Finish.ANSWERED
    texts = [_own_words(step) for step in (steps[:-1] if answered else steps)]
    answer = record.answer if answered else ""
    on_the_way = reader.proposals(texts, question=record.question, answer=answer)
    return [*on_the_way, Proposal(len(steps) - 1, answer, certainty)] if answered and steps else on_the_way


def _own_words(step: StepRecord) -> str:
    """The turn without its queries, however its calls are written: to search for a name is not to propose it."""
    text = step.text
    for query in filter(None, step.queries or [step.query]):
        before, found, after = text.rpartition(query)  # calls end a turn
        text = f"{before} {after}" if found else text
    return text


def _verifications(proposals: Sequence[Proposal], searches: Sequence[Search], *, question: str, reader: Reader) -> int:
    """A search of the turn that makes the first proposal comes after it: a turn's text precedes its calls."""
    if not proposals:
        return 0
    first = proposals[0]
    later = (search.query for search in searches if search.turn >= first.turn)
    return sum(reader.verifies(query, first.text, question=question) for query in later)
