"""Where rollouts come from: memory here, a store in `store_source`. Read group by group once, then by id."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from rl_backend.rollouts import RolloutLike


class RolloutSource(Protocol):
    """A dataset that holds still while it is trained on."""

    def groups(self) -> Iterator[Sequence[RolloutLike]]:
        """Every group once, whole, in a fixed order; few in memory at a time."""
        ...

    def read(self, rollout_ids: Sequence[int]) -> Sequence[RolloutLike]:
        """These rollouts, in this order."""
        ...


class MemorySource:
    """Rollouts that are in memory already; interleaved groups are put together."""

    def __init__(self, rollouts: Iterable[RolloutLike]) -> None:
        self._rollouts = {rollout.rollout_id: rollout for rollout in rollouts}

    def groups(self) -> Iterator[list[RolloutLike]]:
        groups: dict[int, list[RolloutLike]] = defaultdict(list)
        for rollout in self._rollouts.values():
            groups[rollout.group_id].append(rollout)
        yield from groups.values()

    def read(self, rollout_ids: Sequence[int]) -> list[RolloutLike]:
        return [self._rollouts[rollout_id] for rollout_id in rollout_ids]
