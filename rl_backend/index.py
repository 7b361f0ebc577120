"""What is known of every rollout before its tokens are read again: advantage and sizes, some hundred bytes each.

The advantages are settled here, over whole groups: neither the cutting of a rollout into segments nor the packing of
batches can move them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rl_backend.config import TrainConfig
from rl_backend.rollouts import RolloutLike, check_rollout, trainable_segments
from rl_backend.source import RolloutSource
from store.errors import UsageError

# verl's GRPO: keeps a group of equal rewards from dividing by zero.
GRPO_EPSILON = 1e-6


class Entry(NamedTuple):
    """One rollout to train on. `lengths`: tokens of each of its trainable segments; `trained`: sampled ones of all."""

    rollout_id: int
    group_id: int
    kind: str
    reward: float
    advantage: float
    lengths: tuple[int, ...]
    trained: int


@dataclass(frozen=True, slots=True)
class TrainingIndex:
    """Entries in the order of the dataset, group by group, and what was left out: counts for the report."""

    entries: list[Entry]
    groups: int
    dropped_segments: int
    dropped_rollouts: int

    @property
    def segment_count(self) -> int:
        return sum(len(entry.lengths) for entry in self.entries)

    def sha256(self) -> str:
        """Identity of what is trained on: rollouts, rewards, advantages and sizes."""
        digest = hashlib.sha256()
        for entry in self.entries:
            digest.update(repr(entry).encode())
        return digest.hexdigest()


def build_index(source: RolloutSource, *, config: TrainConfig) -> TrainingIndex:
    """Read the dataset once, check every rollout and settle the advantages.

    Raises UsageError when nothing is left to train on, KarlError for a rollout that can't be (see `check_rollout`).
    """
    entries: list[Entry] = []
    groups = candidates = dropped_segments = 0
    for group in source.groups():
        groups += 1
        for rollout, advantage in _candidates(group, config=config):
            entry, dropped = _entry(rollout, advantage, limit=config.max_segment_tokens)
            candidates += 1
            dropped_segments += dropped
            if entry.lengths:
                entries.append(entry)
    if not entries:
        raise UsageError(_nothing_left(groups, candidates, config))
    return TrainingIndex(entries, groups, dropped_segments, dropped_rollouts=candidates - len(entries))


def group_advantages(rewards: Sequence[float], *, config: TrainConfig) -> list[float]:
    """A_i of one whole group in float64. OAPL: r_i - V. GRPO: (r_i - mean) / (std + 1e-6), the sample's std."""
    import torch

    from rl_backend.oapl import advantages

    rewards_G = torch.tensor(rewards, dtype=torch.float64)
    if config.algorithm == "grpo":
        spread = rewards_G.std() if len(rewards) > 1 else torch.zeros(())
        return ((rewards_G - rewards_G.mean()) / (spread + GRPO_EPSILON)).tolist()
    return advantages(rewards_G, beta1=config.beta1).tolist()


def _candidates(group: Sequence[RolloutLike], *, config: TrainConfig) -> list[tuple[RolloutLike, float]]:
    for rollout in group:
        check_rollout(rollout)
    if config.algorithm == "sft":
        return [(r, 1.0) for r in group if config.sft_on == "all" or r.reward >= config.winner_reward]
    values = group_advantages([rollout.reward for rollout in group], config=config)
    return list(zip(group, values, strict=True))


def _entry(rollout: RolloutLike, advantage: float, *, limit: int) -> tuple[Entry, int]:
    """The entry, and how many segments with sampled tokens were too long."""
    kept = trainable_segments(rollout, limit=limit)
    sampled = sum(bool(segment.loss_mask.any()) for segment in rollout.segments)
    lengths = tuple(len(segment.token_ids) for segment in kept)
    trained = sum(int(segment.loss_mask.sum()) for segment in kept)
    entry = Entry(rollout.rollout_id, rollout.group_id, rollout.kind, rollout.reward, advantage, lengths, trained)
    return entry, sampled - len(kept)


def _nothing_left(groups: int, candidates: int, config: TrainConfig) -> str:
    if not groups:
        return "the dataset has no rollouts to train on"
    if not candidates:
        return f"no rollout has a reward of {config.winner_reward} or more; lower winner_reward or set sft_on to 'all'"
    return (
        f"no segment is within max_segment_tokens = {config.max_segment_tokens} and has sampled tokens; raise the limit"
    )
