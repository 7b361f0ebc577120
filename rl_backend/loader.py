"""From planned steps to batches: the rollouts of a step are read when it comes, and forgotten after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from rl_backend.batch import Batch, pack
from rl_backend.config import TrainConfig
from rl_backend.index import Entry, TrainingIndex
from rl_backend.plan import Plan, PlannedStep
from rl_backend.reference import Reference
from rl_backend.rollouts import Example, TrainingSegment, trainable_segments
from rl_backend.source import RolloutSource


class Loader:
    """Reads entries of `index` from `source`; with a `reference` its log-probs stand in for the engine's."""

    def __init__(self, source: RolloutSource, index: TrainingIndex, *, config: TrainConfig) -> None:
        self._source, self._index, self._config = source, index, config
        self.reference: Reference | None = None

    @property
    def index(self) -> TrainingIndex:
        return self._index

    def batches(self, plan: Plan, *, after: int = 0, ranks: int = 1) -> Iterator[tuple[PlannedStep, Batch]]:
        """The steps behind number `after`, each with its batch for all `ranks`. Made one at a time."""
        for step in plan.steps(after=after):
            yield step, pack(self.examples(step.positions), config=self._config, ranks=ranks)

    def examples(self, positions: Sequence[int]) -> list[Example]:
        """The rollouts at these positions of the index, in this order."""
        entries = [self._index.entries[i] for i in positions]
        rollouts = self._source.read([entry.rollout_id for entry in entries])
        limit = self._config.max_segment_tokens
        found = [
            Example(entry.rollout_id, entry.reward, entry.advantage, trainable_segments(rollout, limit=limit))
            for entry, rollout in zip(entries, rollouts, strict=True)
        ]
        if self.reference is None:
            return found
        return [self.reference.put_into(example, i) for example, i in zip(found, positions, strict=True)]

    def sample(self, count: int, *, seed: int) -> list[TrainingSegment]:
        """Up to `count` segments of rollouts drawn by `seed`."""
        order = np.random.default_rng(seed).permutation(len(self._index.entries))
        found: list[TrainingSegment] = []
        for start in range(0, len(order), 64):
            if len(found) >= count:
                break
            for example in self.examples(order[start : start + 64].tolist()):
                found += example.segments
        return found[:count]


def token_total(entries: Sequence[Entry]) -> int:
    """All tokens of the entries' segments, prompts and tool output too."""
    return sum(sum(entry.lengths) for entry in entries)
