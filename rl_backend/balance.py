"""Equal weight for every task: groups are drawn again until each task has as many training tokens as the largest.

KARL, section on multi-task training: "balanced so that each task contributes about equally many training tokens".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rl_backend.index import Entry


class Group(NamedTuple):
    """One question's rollouts: their positions in the index, and the training tokens of all."""

    kind: str
    positions: tuple[int, ...]
    trained: int


def groups_of(entries: Sequence[Entry]) -> list[Group]:
    """The groups in the order of their first entries."""
    found: dict[int, list[int]] = defaultdict(list)
    for position, entry in enumerate(entries):
        found[entry.group_id].append(position)
    return [
        Group(entries[positions[0]].kind, tuple(positions), sum(entries[i].trained for i in positions))
        for positions in found.values()
    ]


def tokens_by_kind(groups: Sequence[Group]) -> dict[str, int]:
    """Training tokens that each task contributes."""
    totals: dict[str, int] = defaultdict(int)
    for group in groups:
        totals[group.kind] += group.trained
    return dict(totals)


def balanced(groups: Sequence[Group], *, draw: np.random.Generator) -> list[Group]:
    """Whole groups only: all of each task, some of them again, as near to the largest task's tokens as groups allow.

    With one task, or none named, these are the groups themselves.
    """
    totals = tokens_by_kind(groups)
    target = max(totals.values())
    chosen: list[Group] = []
    for kind, total in totals.items():
        own = [group for group in groups if group.kind == kind]
        chosen += own * (target // total)
        chosen += _near(own, target % total, draw=draw)
    return chosen


def _near(groups: Sequence[Group], wanted: int, *, draw: np.random.Generator) -> list[Group]:
    """A random choice, none twice, whose tokens come near `wanted`: what fits goes in, then one more if nearer."""
    taken, left, rest = list[Group](), wanted, list[Group]()
    for i in draw.permutation(len(groups)):
        fits = groups[i].trained <= left
        (taken if fits else rest).append(groups[i])
        left -= groups[i].trained if fits else 0
    last = min(rest, key=lambda group: group.trained, default=None)
    if last is not None and last.trained - left < left:
        taken.append(last)
    return taken
