"""What training reads: graded rollouts in groups, their segments as arrays. numpy only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from store.errors import KarlError


class SegmentLike(Protocol):
    """What the store hands out for a segment: see `TrainingSegment`."""

    @property
    def token_ids(self) -> NDArray[np.int32]: ...
    @property
    def loss_mask(self) -> NDArray[np.uint8]: ...
    @property
    def logprobs(self) -> NDArray[np.float32]: ...


class RolloutLike(Protocol):
    """What the store hands out for a rollout of a dataset; `TrainingRollout` is one without a store."""

    @property
    def rollout_id(self) -> int: ...
    @property
    def group_id(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def reward(self) -> float: ...
    @property
    def segments(self) -> Sequence[SegmentLike]: ...


@dataclass(frozen=True, slots=True)
class TrainingSegment:
    """token_ids int32 (T,), loss_mask uint8 (T,), logprobs float32 (T,) in nats as the engine recorded them."""

    token_ids: NDArray[np.int32]
    loss_mask: NDArray[np.uint8]
    logprobs: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TrainingRollout:
    """One graded rollout of a frozen dataset; the rollouts of one `group_id` answer the same question.

    `kind` is the task that the question belongs to: tasks are balanced against each other.
    """

    rollout_id: int
    group_id: int
    reward: float
    segments: Sequence[TrainingSegment]
    kind: str = ""


class Example(NamedTuple):
    """A rollout that is trained on, its advantage settled and its over-long segments gone."""

    rollout_id: int
    reward: float
    advantage: float
    segments: tuple[TrainingSegment, ...]


def trainable_segments(rollout: RolloutLike, *, limit: int) -> tuple[TrainingSegment, ...]:
    """The segments with sampled tokens that are no longer than `limit` tokens, in order."""
    return tuple(
        TrainingSegment(s.token_ids, s.loss_mask, s.logprobs)
        for s in rollout.segments
        if len(s.token_ids) <= limit and s.loss_mask.any()
    )


def check_rollout(rollout: RolloutLike) -> None:
    """Raise KarlError for a reward that is no number, ragged arrays, or a segment that trains its first token."""
    if not math.isfinite(rollout.reward):
        raise KarlError(
            f"rollout {rollout.rollout_id}: reward is {rollout.reward}; only graded rollouts can be trained on"
        )
    for number, segment in enumerate(rollout.segments):
        where = f"rollout {rollout.rollout_id}, segment {number}"
        if not len(segment.token_ids) == len(segment.loss_mask) == len(segment.logprobs):
            raise KarlError(f"{where}: ids, mask and log-probs differ in length")
        if len(segment.loss_mask) and segment.loss_mask[0]:
            raise KarlError(
                f"{where}: its first token is marked as sampled; a segment needs at least one prompt token before it"
            )
