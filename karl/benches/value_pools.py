"""Attempts as the value model's bench needs them: rollouts to train on, and what a vote weighs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agents.engines.base import Generation
from agents.values import ValueFunction
from karl.benches.attempts import Attempted
from karl.benches.value_votes import Drawn
from karl.tiny.world import Question
from rl_backend.rollouts import TrainingRollout, TrainingSegment
from store.types import RolloutRecord


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


async def drawn(done: Attempted, *, value: ValueFunction) -> Drawn:
    """What a vote needs of an attempt: its weight is the value of how it ended."""
    record = done.record
    cost = record.sampled_tokens + record.discarded_tokens
    return Drawn(record.answer, float(done.reward == 1.0), await _ending(record, value), cost)


async def _ending(record: RolloutRecord, value: ValueFunction) -> float | None:
    if not record.steps or not record.segments:
        return None
    last, segment = record.steps[-1], record.segments[-1]
    if last.value is not None or not last.sampled_tokens:
        return last.value
    cut = len(segment.token_ids) - last.sampled_tokens
    return (await value.score(segment.token_ids[:cut], [Generation(segment.token_ids[cut:], [], "stop")]))[0]
