"""Rolled-out questions > those worth training on > a frozen dataset."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Sequence

from agents.judges import Attempt, QualityCase
from graphs.decide import filter_quality
from karl.collect import Stopped
from karl.context import Context, id_of
from karl.epochs import validation_tasks
from karl.reporting import Progress
from karl.verdicts import quality_judgement
from store import queries
from store.errors import KarlError
from store.models import Dataset, Task
from store.session import Session
from store.types import Fate


def filter_tasks(context: Context, number: int) -> None:
    """Rolled-out questions -> those neither too easy nor too hard."""
    with context.store.session() as session:
        tasks = queries.tasks_by_fate(session, context.run_id, fates=Fate.DEDUPLICATED, iteration=number)
        groups = queries.groups(session, context.run_id, iteration=number)
        for task in tasks:
            if id_of(task) in groups:
                fate, reason, rate = pass_rate_fate(context, [m.reward for m in groups[id_of(task)]])
                queries.set_fate(session, id_of(task), fate=fate, reason=reason, pass_rate=rate)


async def check_quality(context: Context, number: int) -> None:
    """Questions that some rollouts solved -> those that are sound."""
    with context.store.session() as session:
        groups = queries.groups(session, context.run_id, iteration=number)
        mixed = queries.tasks_by_fate(session, context.run_id, fates=Fate.MIXED, iteration=number)
        cases = {id_of(task): _quality_case(session, task, groups[id_of(task)]) for task in mixed}
    with context.reporter.stage(f"iteration {number}: checking quality", len(cases)) as progress:
        # The judge bounds its own concurrency; a rule answers at once.
        await asyncio.gather(*(_check(context, task, cases[id_of(task)], progress) for task in mixed))
    if context.stop.is_set():
        raise Stopped


async def _check(context: Context, task: Task, case: QualityCase, progress: Progress) -> None:
    """One mixed question: kept or invalid."""
    if context.stop.is_set():
        return
    graph = context.graph("check_quality")
    verdict = await filter_quality(case, judge=context.judge, graph=graph)
    fate = Fate.KEPT if verdict.valid else Fate.INVALID
    with context.store.session() as session:
        queries.set_fate(session, id_of(task), fate=fate, reason="; ".join(verdict.reasons))
        queries.save_judgements(session, [quality_judgement(task, verdict, graph)])
    progress.advance()


def keep_mixed(context: Context, number: int) -> None:
    """In a loop without a quality check: all questions that some rollouts solved are kept."""
    with context.store.session() as session:
        for task in queries.tasks_by_fate(session, context.run_id, fates=Fate.MIXED, iteration=number):
            queries.set_fate(session, id_of(task), fate=Fate.KEPT)


def pass_rate_fate(context: Context, rewards: Sequence[float | None]) -> tuple[Fate, str, float | None]:
    """All or none correct: nothing to learn. Failed rollouts have no reward; half of the group must have come back."""
    scored = [reward for reward in rewards if reward is not None]
    if len(scored) * 2 < context.config.group_size:
        return Fate.INCOMPLETE, f"{len(scored)} of {context.config.group_size} rollouts came back", None
    rate = sum(reward >= context.config.reward_threshold for reward in scored) / len(scored)
    reason = "" if len(scored) == len(rewards) else f"{len(rewards) - len(scored)} rollouts failed"
    if rate == 1.0:
        return Fate.ALL_CORRECT, reason, rate
    return (Fate.MIXED, reason, rate) if rate > 0.0 else (Fate.ALL_WRONG, reason, rate)


def _quality_case(session: Session, task: Task, members: Sequence[queries.GroupMember]) -> QualityCase:
    ids = [member.rollout_id for member in members if member.reward is not None]
    closings = queries.closing_turns(session, ids)
    cited = queries.chunks_by_id(session, task.citations)
    rewards = {member.rollout_id: member.reward or 0.0 for member in members}
    return QualityCase(
        question=task.question,
        answer=task.answer,
        nuggets=task.nuggets or [task.answer],
        evidence=[chunk.text for chunk in cited.values()],
        attempts=[Attempt(answer, rewards[id_], text) for id_, answer, text in closings],
    )


def snapshot(context: Context, number: int, *, policy_version: int) -> Dataset:
    """Kept questions with their groups -> a frozen dataset, rewards binary at the threshold.

    Validation questions are no part of it; anchors are: groups of equal rewards, whose advantage is 0.
    """
    aside = {id_of(task) for task in validation_tasks(context, number)}
    with context.store.session() as session:
        kept = {id_of(t) for t in queries.tasks_by_fate(session, context.run_id, fates=Fate.KEPT, iteration=number)}
        if not kept:
            counts = queries.funnel(session, context.run_id, iteration=number).counts
            raise KarlError(
                f"iteration {number} kept no question ({', '.join(f'{k} {v}' for k, v in counts.items())}): "
                "raise --generator-runs, or look at the reasons with `karl show`"
            )
        chosen = (kept - aside) | _anchors(session, context, number)
    return freeze(context, number, tasks=chosen, sampled_in=[number], policy_version=policy_version)


def freeze(
    context: Context, number: int, *, tasks: set[int], sampled_in: Iterable[int], policy_version: int
) -> Dataset:
    """The groups of these questions, from rollouts of the iterations `sampled_in`, as the dataset of `number`."""
    with context.store.session() as session:
        found = [queries.groups(session, context.run_id, iteration=sampled) for sampled in sampled_in]
        groups = {id_: members for part in found for id_, members in part.items() if id_ in tasks}
        return queries.freeze_dataset(
            session,
            context.run_id,
            iteration=number,
            name=context.key(f"dataset-{number}"),
            policy_version=policy_version,
            groups={id_: _binary(context, members) for id_, members in groups.items()},
        )


def _anchors(session: Session, context: Context, number: int) -> set[int]:
    """Questions that all rollouts solved, drawn by the seed: their groups only pull towards the reference, so that a
    kind of question which is solved already is not forgotten."""
    solved = queries.tasks_by_fate(session, context.run_id, fates=Fate.ALL_CORRECT, iteration=number)
    solved.sort(key=lambda task: task.key)
    count = round(context.config.anchors * len(solved))
    return {id_of(t) for t in random.Random(f"{context.config.seed}:{number}:anchors").sample(solved, count)}


def _binary(context: Context, members: Sequence[queries.GroupMember]) -> list[queries.GroupMember]:
    return [
        m if m.reward is None else m._replace(reward=float(m.reward >= context.config.reward_threshold))
        for m in members
    ]


def funnel_line(context: Context, number: int) -> str:
    """What is left of the iteration's questions after each filter, for the screen."""
    with context.store.session() as session:
        counts = queries.funnel(session, context.run_id, iteration=number).counts
    return f"iteration {number}: " + " > ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())
