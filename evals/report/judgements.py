"""The judgements that an evaluation's document holds, as two judges are compared by them."""

from __future__ import annotations

from collections.abc import Iterator

from evals.report.document import EvaluationDocument, Generation, Question
from evals.scoring.agreement import Key
from evals.scoring.completion import completion
from evals.scoring.judgement import Judgement, answer_sha256
from store.errors import UsageError
from store.types import RolloutStatus


def judgements_of(document: EvaluationDocument, *, system: str = "") -> dict[Key, Judgement]:
    """Of every answer that was judged, of all systems or of one. An item is system, task, split and question.

    Raises: UsageError for a system that the document lacks, and where nothing was judged.
    """
    names = [result.entry.name for result in document.systems]
    if system and system not in names:
        raise UsageError(f"evaluation {document.sha256[:16]} has no system {system!r}; there are: {', '.join(names)}")
    found = {
        (one.item, one.attempt): one
        for question in document.questions
        for name in ([system] if system else names)
        for one in _judged(document, question, name)
    }
    if not found:
        raise UsageError(f"evaluation {document.sha256[:16]} holds no judgement; its answers or labels were left out")
    return found


def _judged(document: EvaluationDocument, question: Question, system: str) -> Iterator[Judgement]:
    for one in question.systems.get(system, ()):
        if one.status == RolloutStatus.FINISHED and one.labels:
            yield _judgement(
                document, question, one, item="/".join((system, question.task, question.split, question.key))
            )


def _judgement(document: EvaluationDocument, question: Question, one: Generation, *, item: str) -> Judgement:
    judge = document.settings.judge
    return Judgement(
        item=item,
        attempt=one.attempt,
        nuggets=question.nuggets,
        completion=completion(one.labels, judge=judge.name, prompt_sha256=judge.prompt_sha256),
        reason=one.reason,
        answer_sha256=answer_sha256(one.answer),
    )
