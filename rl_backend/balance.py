"""Equal weight for every task: groups are drawn again until each task has about as many training tokens as the largest.

KARL, section on multi-task training: "balanced so that each task contributes about equally many training tokens".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from rl_backend.index import Entry

# A larger gap between the smallest and the largest task is told to the user.
TOLERANCE = 0.02
# Greedy choices over so many orders: of 20 groups and 8, sizes lognormal (sigma 0.8), one order misses 2% in every
# seventh epoch, the best of twelve never did in 200.
DRAWS = 24


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


def gap(totals: Mapping[str, int]) -> float:
    """How much less the smallest task has than the largest, as a share of the largest; 0 for one task."""
    return 1 - min(totals.values()) / max(totals.values())


def balanced(groups: Sequence[Group], *, draw: np.random.Generator) -> list[Group]:
    """Whole groups only: all of each task, as often as they fit into the largest task's tokens, and a random choice.

    The choice is the nearest of `DRAWS`, no optimum: with few, uneven groups a gap may be left, and none may be nearer.
    With one task, or none named, these are the groups themselves.
    """
    totals = tokens_by_kind(groups)
    target = max(totals.values())
    chosen: list[Group] = []
    for kind, total in totals.items():
        own = [group for group in groups if group.kind == kind]
        chosen += own * (target // total)
        chosen += _nearest(own, target % total, enough=TOLERANCE / 2 * target, draw=draw)
    return chosen


def _nearest(groups: Sequence[Group], wanted: int, *, enough: float, draw: np.random.Generator) -> list[Group]:
    """The first choice that is off by no more than `enough` tokens, else the one that is off the least."""
    best, least = list[Group](), float("inf")
    for _ in range(DRAWS):
        taken = _near(groups, wanted, draw=draw)
        off = abs(sum(group.trained for group in taken) - wanted)
        if off < least:
            best, least = taken, off
        if least <= enough:
            break
    return best


def _near(groups: Sequence[Group], wanted: int, *, draw: np.random.Generator) -> list[Group]:
    """In a random order what still fits goes in, none twice; then the smallest of the others, if that is nearer."""
    taken, left, rest = list[Group](), wanted, list[Group]()
    for i in draw.permutation(len(groups)):
        fits = groups[i].trained <= left
        (taken if fits else rest).append(groups[i])
        left -= groups[i].trained if fits else 0
    last = min(rest, key=lambda group: group.trained, default=None)
    if last is not None and last.trained - left < left:
        taken.append(last)
    return taken
