"""Judge stored answers, through the cache: nothing is asked twice, nothing that failed is taken for a score.

`rejudge` needs no rollout: give it the stored answers, another judge or another prompt, and compare.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from agents.errors import JudgeError, RolloutError
from agents.judges import Judge, LlmJudge, RuleJudge
from agents.judging import Score, TokenUsage
from evals.cost import Spender, TokenUse
from evals.scoring.completion import completion
from evals.scoring.judgement import AnswerRow, Judgement, answer_sha256
from evals.scoring.judgement_cache import CachedScore, JudgementCache


class FailedJudgement(NamedTuple):
    """An answer without a judgement, why, and what the tries cost."""

    item: str
    attempt: int
    reason: str
    usage: TokenUsage = TokenUsage()


class Judged(NamedTuple):
    """`judgements` and `failures` in the order of the rows; hits and misses of this call; tokens of its misses,
    those of failures too.
    """

    judge: str
    judgements: list[Judgement]
    failures: list[FailedJudgement]
    hits: int
    misses: int
    usage: TokenUsage

    @property
    def token_use(self) -> TokenUse:
        """For `evals.cost`, which knows the prices."""
        return TokenUse(self.judge, Spender.JUDGE, self.usage.input_tokens, self.usage.output_tokens)


async def rejudge(rows: Sequence[AnswerRow], judge: Judge, cache: JudgementCache) -> Judged:
    """One judgement a row; failures are returned, not raised, and are asked again by the next call.

    Rows that ask the same are judged once; the first of them carries what that cost.
    """
    prompt_sha256 = judge.prompts["nugget_judge"].sha256 if isinstance(judge, LlmJudge) else ""
    keys = [row.key(judge=judge.name, prompt_sha256=prompt_sha256) for row in rows]
    unique = dict(zip(reversed(keys), reversed(rows), strict=True))
    async with asyncio.TaskGroup() as group:
        tasks = {key: group.create_task(_score(row, key, judge, cache)) for key, row in unique.items()}
    judgements: list[Judgement] = []
    failures: list[FailedJudgement] = []
    paid: set[str] = set()
    for key, row in zip(keys, rows, strict=True):
        found = tasks[key].result()
        if isinstance(found, RolloutError):
            spent = found.usage if isinstance(found, JudgeError) and key not in paid else TokenUsage()
            failures.append(FailedJudgement(row.item, row.attempt, str(found), spent))
        else:
            judgements.append(_judgement(row, found.score, cached=found.held or key in paid))
        paid.add(key)
    usage = TokenUsage()
    for one in (*judgements, *failures):
        usage = usage.plus(one.usage)
    hits = sum(one.cached for one in judgements)
    return Judged(judge.name, judgements, failures, hits, len(rows) - hits, usage)


class _Found(NamedTuple):
    score: CachedScore
    held: bool


async def _score(row: AnswerRow, key: str, judge: Judge, cache: JudgementCache) -> _Found | RolloutError:
    """The error says why there is none."""
    # What a rule said once would outlive a change of the rule, and costs as much to find as to make.
    kept = not isinstance(judge, RuleJudge)
    held = cache.find(key) if kept else None
    if held is not None:
        return _Found(held, True)
    try:
        score = await _ask(row, judge)
    except RolloutError as exc:
        return exc
    made = CachedScore(
        key=key,
        judge=score.judge,
        prompt_sha256=score.prompt_sha256,
        labels=tuple(score.labels),
        reason=score.reason,
        usage=score.usage,
    )
    if kept:
        cache.keep(made)
    return _Found(made, False)


async def _ask(row: AnswerRow, judge: Judge) -> Score:
    texts = [nugget.text for nugget in row.nuggets]
    if not row.aliases:
        return await judge.score(row.answer, question=row.question, nuggets=texts)
    return await judge.score(row.answer, question=row.question, nuggets=texts, aliases=row.aliases)


def _judgement(row: AnswerRow, score: CachedScore, *, cached: bool) -> Judgement:
    return Judgement(
        item=row.item,
        attempt=row.attempt,
        nuggets=tuple(nugget.text for nugget in row.nuggets),
        completion=completion(score.labels, judge=score.judge, prompt_sha256=score.prompt_sha256),
        reason=score.reason,
        answer_sha256=answer_sha256(row.answer),
        usage=TokenUsage() if cached else score.usage,
        cached=cached,
    )
