"""Which rollouts each optimiser step sees, known before the first: so a training can be resumed at any step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from rl_backend.balance import Group, balanced, groups_of, tokens_by_kind
from rl_backend.config import TrainConfig
from rl_backend.index import Entry


class PlannedStep(NamedTuple):
    """`number` counts from 1 over the whole training. `ends_epoch` holds for the last step of an epoch."""

    number: int
    epoch: int
    positions: tuple[int, ...]
    ends_epoch: bool


class Plan:
    """The same entries, configuration and seed give the same steps."""

    def __init__(self, entries: Sequence[Entry], *, config: TrainConfig) -> None:
        self._groups, self._config = groups_of(entries), config
        self._epochs = self._cut()

    @property
    def step_count(self) -> int:
        """Optimiser steps of the whole training; the last batch of an epoch may be smaller."""
        steps = sum(len(epoch) for epoch in self._epochs)
        limit = self._config.max_steps
        return steps if limit is None else min(steps, limit)

    @property
    def tokens_by_kind(self) -> dict[str, int]:
        """Training tokens of each task in the first epoch."""
        return tokens_by_kind(self._drawn(0))

    def steps(self, *, after: int = 0) -> Iterator[PlannedStep]:
        """The steps behind number `after`, in order."""
        return islice(self._all(), after, self.step_count)

    def _all(self) -> Iterator[PlannedStep]:
        number = 0
        for epoch, steps in enumerate(self._epochs):
            for place, positions in enumerate(steps):
                number += 1
                yield PlannedStep(number, epoch, positions, ends_epoch=place == len(steps) - 1)

    def _cut(self) -> list[list[tuple[int, ...]]]:
        """Every epoch that is begun before `max_steps`."""
        epochs, steps = list[list[tuple[int, ...]]](), 0
        limit = self._config.max_steps
        while len(epochs) < self._config.epochs and (limit is None or steps < limit):
            epochs.append(self._epoch(len(epochs)))
            steps += len(epochs[-1])
        return epochs

    def _epoch(self, epoch: int) -> list[tuple[int, ...]]:
        """Groups in a drawn order, cut into batches; a group may end in the next batch, its V is settled already."""
        positions = [i for group in self._drawn(epoch) for i in group.positions]
        size = self._config.batch_rollouts
        return [tuple(positions[i : i + size]) for i in range(0, len(positions), size)]

    def _drawn(self, epoch: int) -> list[Group]:
        draw = np.random.default_rng([self._config.seed, epoch])
        groups = balanced(self._groups, draw=draw) if self._config.balance == "tokens" else self._groups
        return [groups[i] for i in draw.permutation(len(groups))]
