"""The examples of one optimiser step -> micro-batches of equal size, packed by padded token count, for every rank.

numpy only; the adapter turns a `Batch` into tensors.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
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


class Row(NamedTuple):
    """One segment inside a step. `rollout` is the position of its rollout in the step; -1 marks padding."""

    segment: TrainingSegment
    rollout: int
    advantage: float


@dataclass(frozen=True, slots=True)
class Batch:
    """One optimiser step: `rows` split evenly into micro-batches of `micro_rows`, long ones first.

    advantage_R, reward_R: one per rollout of the step. A rollout's rows share a micro-batch where the loss needs it.
    The number of micro-batches divides by `ranks`: each data-parallel rank works on every ranks-th one.
    """

    rows: list[Row]
    micro_rows: int
    advantage_R: NDArray[np.float32]
    reward_R: NDArray[np.float32]
    ranks: int = 1

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
        return sum(self.micro_rows * max(len(row.segment.token_ids) for row in rows) for rows in self._micro_batches())

    def share(self, rank: int) -> list[Row]:
        """The rows of one data-parallel rank, micro-batch after micro-batch."""
        return share(self.rows, micro_rows=self.micro_rows, rank=rank, ranks=self.ranks)

    def _micro_batches(self) -> Iterator[list[Row]]:
        for start in range(0, len(self.rows), self.micro_rows):
            yield self.rows[start : start + self.micro_rows]


PADDING = Row(
    TrainingSegment(np.zeros(1, np.int32), np.zeros(1, np.uint8), np.zeros(1, np.float32)), rollout=-1, advantage=0.0
)


def pack(examples: Sequence[Example], *, config: Packing, ranks: int = 1) -> Batch:
    """One optimiser step. Where a loss term is a whole rollout, its segments stay in one micro-batch."""
    units = [[Row(s, i, e.advantage) for s in e.segments] for i, e in enumerate(examples)]
    if not (config.algorithm == "oapl" and config.segment_loss == "per_rollout"):
        units = [[row] for unit in units for row in unit]
    rows, micro_rows = pack_rows(units, budget=config.micro_batch_tokens, ranks=ranks)
    return Batch(
        rows=rows,
        micro_rows=micro_rows,
        advantage_R=np.array([e.advantage for e in examples], np.float32),
        reward_R=np.array([e.reward for e in examples], np.float32),
        ranks=ranks,
    )


def pack_rows(units: list[list[Row]], *, budget: int, ranks: int = 1) -> tuple[list[Row], int]:
    """Rows in micro-batches of one size, sorted by length so that little is padding, and that size."""
    units = sorted(units, key=_longest, reverse=True)
    size = _micro_rows(units, budget=budget, ranks=ranks)
    bins = list(_bins(units, size=size))
    bins += [[PADDING] * size] * (-len(bins) % ranks)
    return [row for bin_ in bins for row in bin_], size


def share(rows: Sequence[Row], *, micro_rows: int, rank: int, ranks: int) -> list[Row]:
    """Every ranks-th micro-batch: neighbours are alike in length, so ranks wait little for one another."""
    starts = range(rank * micro_rows, len(rows), ranks * micro_rows)
    return [row for start in starts for row in rows[start : start + micro_rows]]


def _longest(unit: list[Row]) -> int:
    return max(len(row.segment.token_ids) for row in unit)


def _micro_rows(units: list[list[Row]], *, budget: int, ranks: int) -> int:
    """Rows per micro-batch: near the budget on average, at most twice it for the longest, and room for any unit."""
    lengths = [len(row.segment.token_ids) for unit in units for row in unit]
    fitting = min(budget * len(lengths) // sum(lengths), 2 * budget // max(lengths))
    fitting = max(fitting, *(len(unit) for unit in units), 1)
    micro_batches = math.ceil(len(lengths) / fitting)
    micro_batches += -micro_batches % ranks
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
