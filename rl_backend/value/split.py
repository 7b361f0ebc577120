"""Training and validation questions: each with all its rollouts on one side, decided by its id and a seed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from rl_backend.rollouts import RolloutLike
from rl_backend.source import RolloutSource

Side = Literal["training", "validation"]


def side_of(group_id: int, *, share: float, seed: int) -> Side:
    """The same for the same id, whatever else the dataset holds: a dataset that grew keeps its split."""
    digest = hashlib.sha256(f"{seed}:{group_id}".encode()).digest()
    return "validation" if int.from_bytes(digest[:8], "little") < share * 2**64 else "training"


@dataclass(frozen=True, slots=True)
class SideSource:
    """The groups of one side, as a source."""

    source: RolloutSource
    side: Side
    share: float
    seed: int

    def groups(self) -> Iterator[Sequence[RolloutLike]]:
        for group in self.source.groups():
            if group and side_of(group[0].group_id, share=self.share, seed=self.seed) == self.side:
                yield group

    def read(self, rollout_ids: Sequence[int]) -> Sequence[RolloutLike]:
        return self.source.read(rollout_ids)


class Split(NamedTuple):
    training: SideSource
    validation: SideSource


def split(source: RolloutSource, *, share: float, seed: int) -> Split:
    return Split(SideSource(source, "training", share, seed), SideSource(source, "validation", share, seed))
