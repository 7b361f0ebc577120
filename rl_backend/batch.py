"""Rows of a dataset -> optimiser steps: V once per group, seeded shuffling, packing by padded token count.

numpy only; the adapter turns a `Batch` into tensors. Nothing is cut or dropped without being counted.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from rl_backend.config import TrainConfig
from store.errors import KarlError, UsageError


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
    """One graded rollout of a frozen dataset; the rollouts of one `group_id` answer the same question."""

    rollout_id: int
    group_id: int
    reward: float
    segments: Sequence[TrainingSegment]


class Example(NamedTuple):
    """A rollout that is trained on, its advantage settled and its over-long segments gone."""

    rollout_id: int
    reward: float
    advantage: float
    segments: tuple[TrainingSegment, ...]


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Examples in the order of the dataset, and what was left out: counts for the report."""

    examples: list[Example]
    groups: int
    dropped_segments: int
    dropped_rollouts: int

    @property
    def segment_count(self) -> int:
        return sum(len(example.segments) for example in self.examples)


class Row(NamedTuple):
    """One segment inside a step. `rollout` is the position of its rollout in the step; -1 marks padding."""

    segment: TrainingSegment
    rollout: int
    advantage: float


@dataclass(frozen=True, slots=True)
class Batch:
    """One optimiser step: `rows` split evenly into micro-batches of `micro_rows`, long ones first.

    advantage_R, reward_R: one per rollout of the step. A rollout's rows share a micro-batch where the loss needs it.
    """

    rows: list[Row]
    micro_rows: int
    advantage_R: NDArray[np.float32]
    reward_R: NDArray[np.float32]

    @property
    def segment_count(self) -> int:
        return sum(row.rollout >= 0 for row in self.rows)

    @property
    def token_count(self) -> int:
        return sum(len(row.segment.token_ids) for row in self.rows if row.rollout >= 0)

    @property
    def trained_token_count(self) -> int:
        return sum(int(row.segment.loss_mask.sum()) for row in self.rows)

    @property
    def padded_token_count(self) -> int:
        lengths = [len(row.segment.token_ids) for row in self.rows]
        return sum(
            self.micro_rows * max(lengths[i : i + self.micro_rows]) for i in range(0, len(lengths), self.micro_rows)
        )


PADDING = Row(
    TrainingSegment(np.zeros(1, np.int32), np.zeros(1, np.uint8), np.zeros(1, np.float32)), rollout=-1, advantage=0.0
)


def training_set(rollouts: Iterable[RolloutLike], *, config: TrainConfig) -> TrainingSet:
    """Settle advantages per group over all its rollouts, then drop what cannot be trained on.

    Raises UsageError when nothing is left, KarlError for a segment that trains its first token or has ragged arrays.
    """
    groups: dict[int, list[RolloutLike]] = defaultdict(list)
    for rollout in rollouts:
        groups[rollout.group_id].append(rollout)
    candidates = [example for group in groups.values() for example in _examples(group, config=config)]
    kept = [_without_long(example, limit=config.max_segment_tokens) for example in candidates]
    examples = [example for example in kept if example.segments]
    if not examples:
        raise UsageError(_nothing_left(len(groups), len(candidates), config))
    return TrainingSet(
        examples=examples,
        groups=len(groups),
        dropped_segments=sum(len(a.segments) - len(b.segments) for a, b in zip(candidates, kept, strict=True)),
        dropped_rollouts=len(kept) - len(examples),
    )


def _examples(group: list[RolloutLike], *, config: TrainConfig) -> list[Example]:
    if config.algorithm == "sft":
        chosen = [r for r in group if config.sft_on == "all" or r.reward >= config.winner_reward]
        return [_example(rollout, 1.0) for rollout in chosen]
    values = group_advantages([rollout.reward for rollout in group], beta1=config.beta1)
    return [_example(rollout, value) for rollout, value in zip(group, values, strict=True)]


def group_advantages(rewards: Sequence[float], *, beta1: float) -> list[float]:
    """A_i of one group in float64; the group is whole here, so V cannot depend on how rollouts are cut or batched."""
    import torch

    from rl_backend.oapl import advantages

    return advantages(torch.tensor(rewards, dtype=torch.float64), beta1=beta1).tolist()


def _example(rollout: RolloutLike, advantage: float) -> Example:
    for number, segment in enumerate(rollout.segments):
        if not len(segment.token_ids) == len(segment.loss_mask) == len(segment.logprobs):
            raise KarlError(f"rollout {rollout.rollout_id}, segment {number}: ids, mask and log-probs differ in length")
        if len(segment.loss_mask) and segment.loss_mask[0]:
            raise KarlError(
                f"rollout {rollout.rollout_id}, segment {number}: its first token is marked as sampled; "
                "a segment needs at least one prompt token before it"
            )
    if not math.isfinite(rollout.reward):
        raise KarlError(
            f"rollout {rollout.rollout_id}: reward is {rollout.reward}; only graded rollouts can be trained on"
        )
    trained = tuple(
        TrainingSegment(s.token_ids, s.loss_mask, s.logprobs) for s in rollout.segments if s.loss_mask.any()
    )
    return Example(rollout.rollout_id, rollout.reward, advantage, trained)


def _without_long(example: Example, *, limit: int) -> Example:
    return example._replace(segments=tuple(s for s in example.segments if len(s.token_ids) <= limit))


def _nothing_left(groups: int, candidates: int, config: TrainConfig) -> str:
    if not groups:
        return "the dataset has no rollouts to train on"
    if not candidates:
        return f"no rollout has a reward of {config.winner_reward} or more; lower winner_reward or set sft_on to 'all'"
    return (
        f"no segment is within max_segment_tokens = {config.max_segment_tokens} and has sampled tokens; raise the limit"
    )


def step_count(examples: int, *, config: TrainConfig) -> int:
    """Optimiser steps of the whole training; the last batch of an epoch may be smaller."""
    steps = config.epochs * math.ceil(examples / config.batch_rollouts)
    return steps if config.max_steps is None else min(steps, config.max_steps)


def batches(examples: Sequence[Example], *, config: TrainConfig) -> Iterator[Batch]:
    """The steps of a training in order: the same seed gives the same batches. Made one at a time."""
    remaining = step_count(len(examples), config=config)
    for epoch in range(config.epochs):
        order = np.random.default_rng([config.seed, epoch]).permutation(len(examples))
        for start in range(0, len(order), config.batch_rollouts):
            if remaining == 0:
                return
            remaining -= 1
            chosen = [examples[i] for i in order[start : start + config.batch_rollouts]]
            yield pack(chosen, config=config)


def pack(examples: Sequence[Example], *, config: TrainConfig) -> Batch:
    """One optimiser step. Where a loss term is a whole rollout, its segments stay in one micro-batch."""
    units = [[Row(s, i, e.advantage) for s in e.segments] for i, e in enumerate(examples)]
    if not (config.algorithm == "oapl" and config.segment_loss == "per_rollout"):
        units = [[row] for unit in units for row in unit]
    rows, micro_rows = pack_rows(units, budget=config.micro_batch_tokens)
    return Batch(
        rows=rows,
        micro_rows=micro_rows,
        advantage_R=np.array([e.advantage for e in examples], np.float32),
        reward_R=np.array([e.reward for e in examples], np.float32),
    )


def pack_rows(units: list[list[Row]], *, budget: int) -> tuple[list[Row], int]:
    """Rows in micro-batches of one size, sorted by length so that little is padding, and that size."""
    units = sorted(units, key=_longest, reverse=True)
    size = _micro_rows(units, budget=budget)
    return [row for bin_ in _bins(units, size=size) for row in bin_], size


def _longest(unit: list[Row]) -> int:
    return max(len(row.segment.token_ids) for row in unit)


def _micro_rows(units: list[list[Row]], *, budget: int) -> int:
    """Rows per micro-batch: near the budget on average, at most twice it for the longest, and room for any unit."""
    lengths = [len(row.segment.token_ids) for unit in units for row in unit]
    fitting = min(budget * len(lengths) // sum(lengths), 2 * budget // max(lengths))
    fitting = max(fitting, *(len(unit) for unit in units), 1)
    micro_batches = math.ceil(len(lengths) / fitting)
    return max(math.ceil(len(lengths) / micro_batches), max(len(unit) for unit in units))


def _bins(units: list[list[Row]], *, size: int) -> Iterator[list[Row]]:
    """Fill micro-batches of exactly `size` rows with whole units; what is left open becomes one-token padding rows."""
    bin_: list[Row] = []
    for unit in units:
        if len(bin_) + len(unit) > size:
            yield bin_ + [PADDING] * (size - len(bin_))
            bin_ = []
        bin_ = [*bin_, *unit]
    yield bin_ + [PADDING] * (size - len(bin_))
