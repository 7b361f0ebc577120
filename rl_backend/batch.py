"""The examples of one optimiser step -> micro-batches of as many rows as fit a number of tokens, as many on every rank.

numpy only; `micro_batch` turns them into tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from rl_backend.rollouts import Example, TrainingSegment


class Packing(Protocol):
    """What of a `TrainConfig` decides how a step is packed."""

    @property
    def algorithm(self) -> str: ...
    @property
    def segment_loss(self) -> str: ...
    @property
    def micro_batch_tokens(self) -> int: ...
    @property
    def remove_padding(self) -> bool: ...


class Row(NamedTuple):
    """One segment inside a step. `rollout` is the position of its rollout in the step; -1 marks padding."""

    segment: TrainingSegment
    rollout: int
    advantage: float


MicroBatch = list[Row]
# Rows that no packing may part: a segment, or all segments of a rollout where the loss sums over them.
Unit = list[Row]
Fill = Callable[[Sequence[Unit], int], list[list[Unit]]]

PADDING = Row(
    TrainingSegment(np.zeros(1, np.int32), np.zeros(1, np.uint8), np.zeros(1, np.float32)), rollout=-1, advantage=0.0
)


@dataclass(frozen=True, slots=True)
class Batch:
    """One optimiser step, cut into micro-batches, those with long rows first.

    advantage_R, reward_R: one per rollout of the step. The number of micro-batches divides by `ranks`: each
    data-parallel rank works on every ranks-th one.
    """

    micro_batches: list[MicroBatch]
    advantage_R: NDArray[np.float32]
    reward_R: NDArray[np.float32]
    ranks: int = 1

    @property
    def rows(self) -> list[Row]:
        """All rows but padding."""
        return [row for rows in self.micro_batches for row in rows if row.rollout >= 0]

    @property
    def segment_count(self) -> int:
        return len(self.rows)

    @property
    def token_count(self) -> int:
        return sum(len(row.segment.token_ids) for row in self.rows)

    @property
    def trained_token_count(self) -> int:
        return sum(int(row.segment.loss_mask.sum()) for row in self.rows)

    def share(self, rank: int) -> list[MicroBatch]:
        """The micro-batches of one data-parallel rank."""
        return share(self.micro_batches, rank=rank, ranks=self.ranks)


def pack(examples: Sequence[Example], *, config: Packing, ranks: int = 1) -> Batch:
    """One optimiser step. Where a loss term is a whole rollout, its segments stay in one micro-batch."""
    units = [[Row(s, i, e.advantage) for s in e.segments] for i, e in enumerate(examples)]
    if not (config.algorithm == "oapl" and config.segment_loss == "per_rollout"):
        units = [[row] for unit in units for row in unit]
    return Batch(
        micro_batches=pack_rows(units, config=config, ranks=ranks),
        advantage_R=np.array([e.advantage for e in examples], np.float32),
        reward_R=np.array([e.reward for e in examples], np.float32),
        ranks=ranks,
    )


def pack_rows(units: Sequence[Unit], *, config: Packing, ranks: int = 1) -> list[MicroBatch]:
    """No more than `micro_batch_tokens` in any, but for a unit that is longer by itself: that one goes alone.

    As few as fit, made as even as they can be; a number that does not divide by `ranks` is mended by halving the
    largest, and only where nothing is left to halve by a micro-batch of padding.
    """
    fill, tokens = (_unpadded, token_count) if config.remove_padding else (_alike, padded_tokens)
    bins = _even(sorted(units, key=_longest, reverse=True), config.micro_batch_tokens, fill=fill, ranks=ranks)
    while len(bins) % ranks and any(len(bin_) > 1 for bin_ in bins):
        place = max((i for i, bin_ in enumerate(bins) if len(bin_) > 1), key=lambda i: tokens(_rows(bins[i])))
        half = len(bins[place]) // 2
        bins[place : place + 1] = [bins[place][:half], bins[place][half:]]
    bins += [[[PADDING]]] * (-len(bins) % ranks)
    return [_rows(bin_) for bin_ in bins]


def share(micro_batches: Sequence[MicroBatch], *, rank: int, ranks: int) -> list[MicroBatch]:
    """Every ranks-th micro-batch: neighbours are alike in length, so ranks wait little for one another."""
    return list(micro_batches[rank::ranks])


def token_count(rows: Sequence[Row]) -> int:
    """What a micro-batch costs where rows are laid end to end."""
    return sum(len(row.segment.token_ids) for row in rows)


def padded_tokens(rows: Sequence[Row]) -> int:
    """What it costs where every row is padded to the longest."""
    return len(rows) * _longest(rows)


def _even(units: Sequence[Unit], budget: int, *, fill: Fill, ranks: int) -> list[list[Unit]]:
    """The lowest cap below `budget` under which there are no more rounds: otherwise the last round is short."""
    found = fill(units, budget)
    wanted = len(found) + -len(found) % ranks
    low, high = 1, budget
    while low < high:
        middle = (low + high) // 2
        tighter = fill(units, middle)
        if len(tighter) <= wanted:
            found, high = tighter, middle
        else:
            low = middle + 1
    return found


def _alike(units: Sequence[Unit], budget: int) -> list[list[Unit]]:
    """Of units sorted by length, neighbours together: a short row among long ones would be mostly padding."""
    bins: list[list[Unit]] = []
    rows = width = 0
    for unit in units:
        if bins and (rows + len(unit)) * width <= budget:
            bins[-1].append(unit)
            rows += len(unit)
        else:
            bins.append([unit])
            rows, width = len(unit), _longest(unit)
    return bins


def _unpadded(units: Sequence[Unit], budget: int) -> list[list[Unit]]:
    """First fit, the longest first: without padding a short row fills what a long one leaves."""
    bins, left = list[list[Unit]](), list[int]()
    for unit in units:
        tokens = token_count(unit)
        place = next((i for i, room in enumerate(left) if tokens <= room), None)
        if place is None:
            bins.append([unit])
            left.append(budget - tokens)
        else:
            bins[place].append(unit)
            left[place] -= tokens
    return bins


def _longest(rows: Sequence[Row]) -> int:
    return max(len(row.segment.token_ids) for row in rows)


def _rows(units: Sequence[Unit]) -> MicroBatch:
    return [row for unit in units for row in unit]
