"""Which rollouts each optimiser step sees, known before the first: so a training can be resumed at any step."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from rl_backend.balance import TOLERANCE, Group, balanced, gap, groups_of, tokens_by_kind
from rl_backend.config import TrainConfig
from rl_backend.index import Entry

logger = logging.getLogger(__name__)


class PlannedStep(NamedTuple):
    """`number` counts from 1 over the whole training. `ends_epoch` holds for the last step of an epoch."""

    number: int
    epoch: int
    positions: tuple[int, ...]
    ends_epoch: bool


class Plan:
    """The same entries, configuration and seed give the same steps. Warns when tasks could not be balanced."""

    def __init__(self, entries: Sequence[Entry], *, config: TrainConfig) -> None:
        self._groups, self._config = groups_of(entries), config
        self._totals: list[dict[str, int]] = []
        self._epochs = self._cut()
        if config.balance == "tokens":
            self._warn_of_gaps()

    @property
    def step_count(self) -> int:
        """Optimiser steps of the whole training; the last batch of an epoch may be smaller."""
        steps = sum(len(epoch) for epoch in self._epochs)
        limit = self._config.max_steps
        return steps if limit is None else min(steps, limit)

    @property
    def tokens_by_kind(self) -> dict[str, int]:
        """Training tokens of each task in the first epoch."""
        return self._totals[0]

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
            drawn = self._drawn(len(epochs))
            epochs.append(self._steps_of(drawn))
            self._totals.append(tokens_by_kind(drawn))
            steps += len(epochs[-1])
        return epochs

    def _steps_of(self, drawn: Sequence[Group]) -> list[tuple[int, ...]]:
        """Groups cut into batches; a group may end in the next batch, its V is settled already."""
        positions = [i for group in drawn for i in group.positions]
        size = self._config.batch_rollouts
        return [tuple(positions[i : i + size]) for i in range(0, len(positions), size)]

    def _warn_of_gaps(self) -> None:
        """Once, of the worst epoch."""
        worst, totals = max(enumerate(self._totals, start=1), key=lambda epoch: gap(epoch[1]))
        if gap(totals) > TOLERANCE:
            logger.warning(
                "task %r has %.1f%% fewer training tokens than %r in epoch %d: its questions are too few or too uneven "
                'to balance; collect more of them, or set balance = "none"',
                min(totals, key=totals.__getitem__),
                100 * gap(totals),
                max(totals, key=totals.__getitem__),
                worst,
            )

    def _drawn(self, epoch: int) -> list[Group]:
        """The groups of an epoch in the order that its seed gives them."""
        draw = np.random.default_rng([self._config.seed, epoch])
        groups = balanced(self._groups, draw=draw) if self._config.balance == "tokens" else self._groups
        return [groups[i] for i in draw.permutation(len(groups))]
