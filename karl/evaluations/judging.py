"""Label every stored answer, through the cache: what this judge has said already is not asked again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from agents.judging import TokenUsage
from evals.cost import Spender, TokenUse
from evals.report.grading import Asked, Verdict
from evals.scoring.judgement import AnswerRow
from evals.scoring.judgement import Judgement as Labelled
from evals.scoring.judgement_cache import JudgementCache
from evals.scoring.judging import FailedJudgement, rejudge
from karl.collect import Stopped
from karl.evaluations.plan import Arm, Evaluation, judge_entry
from karl.reporting import Reporter
from store import queries
from store.errors import KarlError
from store.models import Judgement
from store.queries import StoredAnswer
from store.types import RolloutStatus

BATCH = 256  # answers judged before the next look at Ctrl-C, and stored in one transaction


async def judge_answers(
    evaluation: Evaluation, asked: dict[int, Asked], *, reporter: Reporter, stop: asyncio.Event
) -> dict[str, Verdict]:
    """Rollout key -> verdict, of all finished rollouts of the evaluation's arms; rewards are set to its scores.

    Raises: Stopped; KarlError where the judge failed on everything.
    """
    answers = _answers(evaluation)
    verdicts: dict[str, Verdict] = {}
    with JudgementCache(_cache_file(evaluation)) as cache, reporter.stage("judging", len(answers)) as progress:
        for start in range(0, len(answers), BATCH):
            batch = answers[start : start + BATCH]
            verdicts |= await _judge(evaluation, batch, asked, cache)
            progress.advance(len(batch))
            if stop.is_set():
                raise Stopped
    if verdicts and all(verdict.completion is None for verdict in verdicts.values()):
        reason = next(iter(verdicts.values())).reason
        raise KarlError(f"the judge failed on every answer: {reason}; mend that, and the same command goes on")
    return verdicts


def _cache_file(evaluation: Evaluation) -> Path:
    return evaluation.settings.home / "evaluations" / "judgements.jsonl"


def _answers(evaluation: Evaluation) -> list[StoredAnswer]:
    """Of finished rollouts; an unfinished one's reward is set to 0, which needs no judge."""
    with evaluation.store.session() as session:
        arms: list[Arm] = list(evaluation.arms)
        every = [row for arm in arms for row in queries.stored_answers(session, evaluation.run_id, arm=arm.name)]
        unfinished = [row for row in every if row.status is RolloutStatus.UNFINISHED and row.reward is None]
        queries.set_rewards(session, {row.rollout_id: 0.0 for row in unfinished})
    return [row for row in every if row.status is RolloutStatus.FINISHED]


async def _judge(
    evaluation: Evaluation, answers: Sequence[StoredAnswer], asked: dict[int, Asked], cache: JudgementCache
) -> dict[str, Verdict]:
    rows = [_row(answer, asked[answer.task_id]) for answer in answers]
    found = await rejudge(rows, evaluation.judge, cache)
    labelled = {one.item: one for one in found.judgements}
    failed = {one.item: _failed(evaluation, one) for one in found.failures}
    _store(evaluation, answers, labelled)
    judged = _verdicts(evaluation, rows, labelled, cache)
    return {answer.key: judged.get(answer.key) or failed[answer.key] for answer in answers}


def _failed(evaluation: Evaluation, one: FailedJudgement) -> Verdict:
    use = TokenUse(evaluation.judge.name, Spender.JUDGE, one.usage.input_tokens, one.usage.output_tokens)
    return Verdict(None, f"judge: {one.reason}", use)


def _row(answer: StoredAnswer, asked: Asked) -> AnswerRow:
    # By rollout, because several answers belong to one question.
    item = asked.item
    return AnswerRow(item=answer.key, question=item.question, answer=answer.answer, nuggets=item.nuggets)


def _store(evaluation: Evaluation, answers: Sequence[StoredAnswer], labelled: dict[str, Labelled]) -> None:
    """One row for each judge and prompt; the rollout's reward is what was said last."""
    entry = judge_entry(evaluation.judge)
    suffix = "/".join(["nuggets", entry.name, *([entry.prompt_sha256[:12]] if entry.prompt_sha256 else [])])
    judged = [answer for answer in answers if answer.key in labelled]
    with evaluation.store.session() as session:
        queries.save_judgements(
            session, [_judgement(answer, labelled[answer.key], key=f"{answer.key}/{suffix}") for answer in judged]
        )
        scores = {answer.rollout_id: (labelled[answer.key].completion.strict, answer.reward) for answer in judged}
        queries.set_rewards(session, {id_: score for id_, (score, before) in scores.items() if score != before})


def _judgement(answer: StoredAnswer, found: Labelled, *, key: str) -> Judgement:
    return Judgement(
        key=key,
        rollout_id=answer.rollout_id,
        task_id=answer.task_id,
        kind="nuggets",
        judge=found.completion.judge,
        prompt_sha256=found.completion.prompt_sha256,
        labels=list(found.completion.labels),
        score=found.completion.strict,
        reason=found.reason,
    )


def _verdicts(
    evaluation: Evaluation, rows: Sequence[AnswerRow], labelled: dict[str, Labelled], cache: JudgementCache
) -> dict[str, Verdict]:
    """With what each cost when it was made; of answers that are the same the first one has paid."""
    entry = judge_entry(evaluation.judge)
    found, paid = dict[str, Verdict](), set[str]()
    for row in rows:
        if row.item not in labelled:
            continue
        key = row.key(judge=entry.name, prompt_sha256=entry.prompt_sha256)
        held = cache.find(key)
        usage = held.usage if held is not None and key not in paid else TokenUsage()
        paid.add(key)
        use = TokenUse(entry.name, Spender.JUDGE, usage.input_tokens, usage.output_tokens)
        found[row.item] = Verdict(labelled[row.item].completion, labelled[row.item].reason, use)
    return found
