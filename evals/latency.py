"""Time to the first token of the answer (TTFAT), split into LLM, tools and overhead, from what rollouts recorded.

A stored rollout knows how long each turn was sampled, not when each token came. The answer's first token is therefore
placed inside its turn by its place in the turn's text, as if all tokens took equally long; where a stream was timed,
give the measured moment. A rollout without an answer counts from end to end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from evals.distribution import distribution
from store.attempt_keys import attempt_place
from store.types import RolloutRecord, RolloutStatus

_KNOWN_BY = 24  # characters by which an answer is found in its turn when its end was cleaned up


class Spent(NamedTuple):
    """Seconds. overhead: the harness, and whatever else took neither of the others; queued: attempts that waited for a
    free place. Of attempts side by side the one that ended last counts: it is the one that was waited for.
    """

    llm: float
    tool: float
    overhead: float
    queued: float = 0.0

    @property
    def total(self) -> float:
        return sum(self)


class Known(StrEnum):
    """How a time to the first answer token is known."""

    MEASURED = "measured"
    PLACED = "placed"  # inside its turn, by its place in the text
    END_TO_END = "end_to_end"  # there was no answer


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    """`spent` adds up to `seconds`."""

    seconds: float
    spent: Spent
    known: Known


def spent_of(record: RolloutRecord) -> Spent:
    """Of the whole rollout."""
    own = sum(step.policy_seconds for step in record.steps), sum(step.tool_seconds for step in record.steps)
    waited_for = _ended_last(record.attempts)
    inside = [spent_of(attempt) for attempt in waited_for]
    queued = sum(attempt.queued for attempt in waited_for)
    rest = record.seconds - sum(own) - sum(part.total for part in inside) - queued
    return Spent(
        llm=own[0] + sum(part.llm for part in inside),
        tool=own[1] + sum(part.tool for part in inside),
        overhead=max(0.0, rest) + sum(part.overhead for part in inside),
        queued=queued + sum(part.queued for part in inside),
    )


def first_answer(record: RolloutRecord, *, measured: float | None = None) -> FirstAnswer:
    """`measured`: seconds from the rollout's start to its first answer token, where a stream was timed.

    Raises: ValueError for a rollout that the environment failed, and for a moment after the rollout's end.
    """
    if record.status is RolloutStatus.FAILED:
        raise ValueError(f"rollout {record.key} was failed by its environment: leave it out, and count it")
    spent = spent_of(record)
    if record.status is RolloutStatus.UNFINISHED or not record.answer or not record.steps:
        return FirstAnswer(spent.total, spent, Known.END_TO_END)
    if measured is None:
        last = record.steps[-1]
        after, known = last.policy_seconds * (1 - _place(record.answer, last.text)), Known.PLACED
    else:
        after, known = spent.total - measured, Known.MEASURED
    if not 0.0 <= after <= spent.total:
        raise ValueError(f"rollout {record.key} took {spent.total:.3f} s; its answer can't begin at {measured} s")
    # The end of the answer's turn is the policy's; what a measured moment has beyond it was overhead.
    llm = max(0.0, spent.llm - after)
    short = Spent(llm, spent.tool, max(0.0, spent.overhead - (after - (spent.llm - llm))), spent.queued)
    return FirstAnswer(spent.total - after, short, known)


def latency_figures(by_question: Mapping[str, Sequence[FirstAnswer]]) -> dict[str, Any]:
    """question -> its generations: percentiles of each part in seconds, and the variance by level."""
    every = [one for own in by_question.values() for one in own]
    parts = {
        "ttfat": distribution(one.seconds for one in every),
        **{name: distribution(getattr(one.spent, name) for one in every) for name in Spent._fields},
    }
    levels = variance_by_level({question: [one.seconds for one in own] for question, own in by_question.items()})
    return {
        "rollouts": len(every),
        "known": {str(known): sum(one.known is known for one in every) for known in Known},
        "seconds": {name: found.as_dict(digits=6) if found else None for name, found in parts.items()},
        "variance": levels.as_dict() if levels else None,
    }


class Levels(NamedTuple):
    """Variances of a random-effects model: how far questions differ, and how far generations of one question do."""

    between: float
    within: float

    @property
    def share_between(self) -> float | None:
        """Intraclass correlation: 1 when only the question decides; None where nothing varies."""
        whole = self.between + self.within
        return self.between / whole if whole else None

    def as_dict(self) -> dict[str, float | None]:
        share = self.share_between
        return {**self._asdict(), "share_between": None if share is None else round(share, 4)}


def variance_by_level(by_question: Mapping[str, Sequence[float]]) -> Levels | None:
    """One-way analysis of variance, for unequal numbers of generations too.

    None for fewer than two questions, or where no question has two generations: the levels can't be told apart.
    """
    groups = [list(own) for own in by_question.values() if own]
    total, questions = sum(map(len, groups)), len(groups)
    if questions < 2 or total == questions:
        return None
    means = [sum(own) / len(own) for own in groups]
    grand = sum(map(sum, groups)) / total
    pairs = list(zip(groups, means, strict=True))
    within = sum((value - mean) ** 2 for own, mean in pairs for value in own) / (total - questions)
    among = sum(len(own) * (mean - grand) ** 2 for own, mean in pairs) / (questions - 1)
    typical = (total - sum(len(own) ** 2 for own in groups) / total) / (questions - 1)
    # The estimate falls below zero where questions differ less than their generations' noise makes them seem to.
    return Levels(max(0.0, (among - within) / typical), within)


def _ended_last(attempts: Sequence[RolloutRecord]) -> list[RolloutRecord]:
    """Of each batch of attempts."""
    batches: dict[int, list[RolloutRecord]] = {}
    for attempt in attempts:
        batches.setdefault(attempt_place(attempt.key).batch, []).append(attempt)
    return [max(batch, key=lambda attempt: attempt.queued + attempt.seconds) for batch in batches.values()]


def _place(answer: str, text: str) -> float:
    """Where in its turn the answer begins, in [0, 1]; at the end, where it can't be found."""
    at = text.rfind(answer)
    if at < 0:
        at = text.rfind(answer[:_KNOWN_BY])
    return at / len(text) if at >= 0 and text else 1.0
