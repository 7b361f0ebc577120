"""A document's generations graded once more: the same figures come out of them, or somebody changed one of the two."""

from __future__ import annotations

from collections.abc import Iterable

from evals.cost import Spender, TokenUse
from evals.items import EvalItem, Nugget
from evals.report.document import Generation, Question
from evals.report.grading import Answered, Asked, Graded, Verdict
from evals.scoring.completion import completion
from evals.tasks.spec import Metric
from store.types import RolloutStatus

_LEFT_OUT = "-"  # in place of a text that a trimmed document does not hold


def regraded(questions: Iterable[Question], system: str, *, judge: str = "stated", model: str = "") -> list[Graded]:
    """In the document's order: the bootstrap draws by it. Scores are worked out from the labels, none is taken over."""
    return [
        _graded(question, asked, one, judge=judge, model=model)
        for question in questions
        for asked in [_asked(question)]
        for one in question.systems.get(system, ())
    ]


def place_of(question: Question) -> tuple[str, str, str]:
    return question.task, question.split, question.key


def _asked(question: Question) -> Asked:
    # The metric decides what is worked out of the answer's text, and nothing is here.
    item = EvalItem(
        key=question.key,
        question=question.question or _LEFT_OUT,
        reference=question.reference,
        nuggets=tuple(Nugget(text=nugget or _LEFT_OUT) for nugget in question.nuggets),
        gold=question.gold,
        split=question.split,
        kind=question.kind,
    )
    return Asked(question.task, Metric.NUGGETS, item)


def _graded(question: Question, asked: Asked, one: Generation, *, judge: str, model: str) -> Graded:
    finished = one.status == RolloutStatus.FINISHED
    failed = one.score is None or not finished
    made = Answered(
        asked=asked,
        attempt=one.attempt,
        rollout=one.rollout,
        status=RolloutStatus(one.status),
        answer=one.answer,
        confidence=one.confidence,
        citations=one.citations,
        failure=one.reason if failed else "",
        seconds=one.seconds,
        searches=one.searches,
        model=model,
        uses=_uses(one, model),
        first=None,
        others=one.others,
    )
    labelled = completion(one.labels, judge=judge) if finished and one.labels else None
    return Graded(made, Verdict(labelled, one.reason) if finished else None)


def _uses(one: Generation, model: str) -> tuple[TokenUse, ...] | None:
    if one.input_tokens is None or one.output_tokens is None:
        return None
    return (TokenUse(model, Spender.POLICY, one.input_tokens, one.output_tokens),)
