"""Attempts as the value model's bench needs them: rollouts to train on, and what a vote weighs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np

from agents.engines.base import Generation
from agents.values import ValueFunction
from karl.benches.attempts import Attempted
from karl.benches.value_votes import Drawn
from karl.tiny.world import Question
from rl_backend.rollouts import TrainingRollout, TrainingSegment
from store.types import RolloutRecord

Pool = list[list[Attempted]]  # the attempts at every question


def training_rollouts(groups: Sequence[Sequence[Attempted]], asked: Sequence[Question]) -> list[TrainingRollout]:
    """As a dataset of the store would hand them out; failed ones are left out."""
    found: list[TrainingRollout] = []
    for group_id, (group, question) in enumerate(zip(groups, asked, strict=True)):
        for done in group:
            if done.reward is None:
                continue
            segments = [
                TrainingSegment(
                    np.array(s.token_ids, np.int32), np.array(s.loss_mask, np.uint8), np.array(s.logprobs, np.float32)
                )
                for s in done.record.segments
            ]
            found.append(TrainingRollout(len(found), group_id, done.reward, segments, question.kind))
    return found


def share_correct(pool: Sequence[Sequence[Attempted]], *, threshold: float) -> float:
    """Of the attempts that did not fail, with the value model's own threshold."""
    rewards = [done.reward for group in pool for done in group if done.reward is not None]
    return round(sum(reward >= threshold for reward in rewards) / len(rewards), 4)


async def weighed(pool: Sequence[Sequence[Attempted]], *, value: ValueFunction, threshold: float) -> list[list[Drawn]]:
    """What a vote needs of every attempt that did not fail."""
    return [
        list(
            await asyncio.gather(
                *(_drawn(done, value=value, threshold=threshold) for done in group if done.reward is not None)
            )
        )
        for group in pool
    ]


async def _drawn(done: Attempted, *, value: ValueFunction, threshold: float) -> Drawn:
    """Its weight is the value of how it ended."""
    record = done.record
    cost = record.sampled_tokens + record.discarded_tokens
    correct = done.reward is not None and done.reward >= threshold
    return Drawn(record.answer, float(correct), await _ending(record, value), cost)


async def _ending(record: RolloutRecord, value: ValueFunction) -> float | None:
    if not record.steps or not record.segments:
        return None
    last, segment = record.steps[-1], record.segments[-1]
    if last.value is not None or not last.sampled_tokens:
        return last.value
    cut = len(segment.token_ids) - last.sampled_tokens
    return (await value.score(segment.token_ids[:cut], [Generation(segment.token_ids[cut:], [], "stop")]))[0]
