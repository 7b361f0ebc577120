"""Where a search asks for a value: the end of each turn of the policy. What model and baselines say there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rl_backend.rollouts import RolloutLike, TrainingSegment, trainable_segments
from rl_backend.source import RolloutSource
from rl_backend.value.model import value_logits

ROLLOUTS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class ValuePoints:
    """P turns' ends, rollout after rollout.

    value_P: logits; correct_P: 0 or 1; likelihood_P: geometric mean of the turn's token probabilities;
    depth_P: share of the rollout's own tokens up to there, in (0, 1]; turn_P: counts from 1; token_loss_P: summed
    cross-entropy of the turn's tokens, token_count_P their number.
    """

    group_P: NDArray[np.int64]
    rollout_P: NDArray[np.int64]
    correct_P: NDArray[np.float64]
    value_P: NDArray[np.float64]
    likelihood_P: NDArray[np.float64]
    depth_P: NDArray[np.float64]
    turn_P: NDArray[np.int64]
    token_loss_P: NDArray[np.float64]
    token_count_P: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.value_P)

    def only(self, chosen_P: NDArray[np.bool_]) -> ValuePoints:
        return ValuePoints(**{field.name: getattr(self, field.name)[chosen_P] for field in fields(self)})


class _Point(NamedTuple):
    group: int
    rollout: int
    correct: float
    value: float
    likelihood: float
    depth: float
    turn: int
    token_loss: float
    token_count: int


def measure_points(
    model: Any, source: RolloutSource, *, threshold: float, limit: int, budget: int
) -> ValuePoints | None:
    """All turns of all rollouts, some rollouts in memory at a time; None for none. limit: longest segment."""
    points: list[_Point] = []
    for rollouts in _chunks(source):
        held = [trainable_segments(rollout, limit=limit) for rollout in rollouts]
        logits = iter(value_logits(model, [segment for segments in held for segment in segments], budget=budget))
        for rollout, segments in zip(rollouts, held, strict=True):
            points += _points(rollout, segments, [next(logits) for _ in segments], threshold=threshold)
    if not points:
        return None
    columns = [np.array(column) for column in zip(*points, strict=True)]
    return ValuePoints(*columns)


def turn_ends(mask: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """(first, end) of every run of sampled tokens: a turn, its stop token included."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return [(int(first), int(end)) for first, end in zip(edges[::2], edges[1::2], strict=True)]


def token_losses(value_N: NDArray[np.floating[Any]], correct: float) -> NDArray[np.float64]:
    """- ln of the probability given to what happened, (N,), in float64, no overflow: ln(1 + e^v) - r v."""
    logits_N = value_N.astype(np.float64)
    return np.logaddexp(0.0, logits_N) - correct * logits_N


def _chunks(source: RolloutSource) -> Iterator[list[RolloutLike]]:
    held: list[RolloutLike] = []
    for group in source.groups():
        held += group
        if len(held) >= ROLLOUTS_AT_ONCE:
            yield held
            held = []
    if held:
        yield held


def _points(
    rollout: RolloutLike,
    segments: Sequence[TrainingSegment],
    values: Iterable[NDArray[np.float32]],
    *,
    threshold: float,
) -> Iterator[_Point]:
    correct = float(rollout.reward >= threshold)
    total = sum(int(segment.loss_mask.sum()) for segment in segments)
    turn = seen = 0
    for segment, value_T in zip(segments, values, strict=True):
        for first, end in turn_ends(segment.loss_mask):
            turn, seen = turn + 1, seen + end - first
            likelihood = float(np.exp(min(0.0, segment.logprobs[first:end].mean(dtype=np.float64))))
            loss = float(token_losses(value_T[first:end], correct).sum())
            last = float(value_T[end - 1])
            yield _Point(
                rollout.group_id, rollout.rollout_id, correct, last, likelihood, seen / total, turn, loss, end - first
            )
