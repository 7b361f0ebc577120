"""Which systems nobody beats: better, or as good for less."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Point(NamedTuple):
    label: str
    quality: float
    spent: float


def front(points: Sequence[Point]) -> list[Point]:
    """The non-dominated ones, the cheapest first. Equal in both is no domination: both stay."""
    kept = [point for point in points if not any(dominates(other, point) for other in points)]
    return sorted(kept, key=lambda point: (point.spent, -point.quality, point.label))


def dominates(one: Point, other: Point) -> bool:
    """At least as good in both, better in one."""
    as_good = one.quality >= other.quality and one.spent <= other.spent
    return as_good and (one.quality > other.quality or one.spent < other.spent)
