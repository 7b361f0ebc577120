"""Nugget completion: from a judge's labels to the score of one answer.

As in the paper, the score is the share of nuggets that the answer supports, and an answer to a single nugget is right
or wrong. A judge's own `Score.value` may differ: the rule judge's is a training reward, which also punishes surplus
items.
"""

from __future__ import annotations

from collections.abc import Sequence

from agents.errors import JudgeError
from agents.judging import Label, Score
from evals.scoring.scored import Scored

HALF = 0.5  # what a nugget supported in part is worth


class Completion(Scored, frozen=True):
    """`strict` counts full support alone, `half_credit` partial support as a half; one nugget is binary in both."""

    labels: tuple[Label, ...]
    strict: float
    half_credit: float


def completion(labels: Sequence[Label], *, judge: str, prompt_sha256: str = "") -> Completion:
    """Raises: JudgeError without labels."""
    if not labels:
        raise JudgeError("no labels to score: the item has no nuggets; make them with a nuggetiser first")
    strict = labels.count("support") / len(labels)
    partial = labels.count("partial_support") / len(labels) if len(labels) > 1 else 0.0
    return Completion(
        judge=judge,
        prompt_sha256=prompt_sha256,
        labels=tuple(labels),
        strict=strict,
        half_credit=strict + HALF * partial,
    )


def completion_of(score: Score) -> Completion:
    return completion(score.labels, judge=score.judge, prompt_sha256=score.prompt_sha256)
