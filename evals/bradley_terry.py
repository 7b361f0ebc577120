"""Strengths of systems from votes between their answers, with intervals, and a word on what the votes can't tell.

Bradley & Terry (1952): i is preferred to j with probability g_i / (g_i + g_j). Of more than two at once i is preferred
with g_i / (sum of all), Luce's choice rule, of which pairs are the smallest case (Hunter 2004, "MM algorithms for
generalized Bradley-Terry models", section 5). A tie shares one win equally among its winners: half a win of a pair.

Without more, a system that never lost would be infinitely strong, and systems that no votes connect could be anywhere
to each other (Ford 1957). So each system also draws `prior` votes against an opponent of strength 0: the maximum is
then finite and unique. Newton's method finds it; Hunter's MM iteration, to which a test compares it, needs thousands
of rounds to settle the level that only the prior holds. Intervals are Wald's, from the information at the maximum: a
bootstrap over three votes that all say the same would give an interval of no width.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PRIOR = 1.0  # drawn votes of each system against strength 0
NORMAL_95 = 1.959964
TOLERANCE = 1e-10
ROUNDS = 200

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Vote:
    """Which of `entrants` were preferred; several: they tie."""

    entrants: frozenset[str]
    winners: frozenset[str]

    def __post_init__(self) -> None:
        if len(self.entrants) < 2 or not self.winners or not self.winners <= self.entrants:
            raise ValueError(f"a vote needs two entrants and a winner among them, got {self}")


class Strength(NamedTuple):
    """Natural logarithm of g, with its 95% interval; 0 is the mean of the group. Only within a group do they compare.

    `share`: of a win in each vote that it entered; 0 and 1 in every vote: it never won, or was never beaten.
    """

    system: str
    strength: float
    low: float
    high: float
    group: int
    votes: int
    share: float

    @property
    def extreme(self) -> bool:
        """Never beaten, or never preferred: how far it is from the others, the prior alone says."""
        return self.share in (0.0, 1.0)


class Group(NamedTuple):
    """Systems that votes connect. `finite`: the votes alone would fix their strengths, without the prior."""

    systems: tuple[str, ...]
    finite: bool


class Standing(NamedTuple):
    """`strengths`: group by group, the largest first, and in each the strongest first."""

    strengths: list[Strength]
    groups: list[Group]


class Pair(NamedTuple):
    """How one system fared against another, over the votes that preferred at least one of the two."""

    wins: int
    ties: int
    losses: int

    @property
    def rate(self) -> float | None:
        """Ties are half a win; None: never compared."""
        total = self.wins + self.ties + self.losses
        return (self.wins + self.ties / 2) / total if total else None


def standing(votes: Iterable[Vote], *, prior: float = PRIOR) -> Standing:
    """Strengths of all systems that entered a vote; empty for no votes."""
    counted = Counter(votes)
    systems = sorted({name for vote in counted for name in vote.entrants})
    if not systems:
        return Standing([], [])
    table = _Table.of(counted, systems)
    theta = _maximum(table, prior)
    groups = _groups(table, systems)
    centre_KK = _centring(groups, systems)
    covariance_KK = centre_KK @ np.linalg.inv(_information(table, theta, prior)) @ centre_KK.T
    margin = NORMAL_95 * np.sqrt(np.clip(np.diag(covariance_KK), 0.0, None))
    listed: list[Strength] = []
    for number, group in enumerate(groups):
        places = [systems.index(name) for name in group.systems]
        own = [_strength(table, systems[n], n, number, float((centre_KK @ theta)[n]), margin[n]) for n in places]
        listed += sorted(own, key=lambda one: (-one.strength, one.system))
    return Standing(listed, groups)


def win_matrix(votes: Iterable[Vote]) -> dict[str, dict[str, Pair]]:
    """system -> opponent -> how it fared. Two systems that both lost to a third are not compared by that vote."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for vote, times in Counter(votes).items():
        for one in vote.entrants:
            for other in vote.entrants - {one}:
                counts.setdefault((one, other), Counter())[_outcome(vote, one, other)] += times
    table: dict[str, dict[str, Pair]] = {}
    for (one, other), own in sorted(counts.items()):
        table.setdefault(one, {})[other] = Pair(own["wins"], own["ties"], own["losses"])
    return table


def probability(strength: float, other: float) -> float:
    """That the first is preferred to the second."""
    return float(1.0 / (1.0 + np.exp(other - strength)))


def _outcome(vote: Vote, one: str, other: str) -> str:
    match one in vote.winners, other in vote.winners:
        case True, True:
            return "ties"
        case True, False:
            return "wins"
        case False, True:
            return "losses"
    return "neither"


class _Table(NamedTuple):
    """Votes as arrays over V kinds of vote and K systems: how often, who entered, who got which share of the win."""

    times_V: Floats
    entered_VK: Floats
    shares_VK: Floats

    @classmethod
    def of(cls, counted: Mapping[Vote, int], systems: Sequence[str]) -> _Table:
        entered = [[float(name in vote.entrants) for name in systems] for vote in counted]
        shares = [[float(name in vote.winners) / len(vote.winners) for name in systems] for vote in counted]
        return cls(np.array(list(counted.values()), dtype=np.float64), np.array(entered), np.array(shares))

    def chances(self, theta_K: Floats) -> Floats:
        """Of each entrant in each vote."""
        theta_VK = np.where(self.entered_VK > 0, theta_K, -np.inf)
        return np.exp(theta_VK - np.logaddexp.reduce(theta_VK, axis=1, keepdims=True))


def _maximum(table: _Table, prior: float) -> Floats:
    """Newton's steps, halved until the likelihood grows: it is strictly concave."""
    theta_K = np.zeros(table.entered_VK.shape[1])
    for _ in range(ROUNDS):
        slope_K = table.times_V @ (table.shares_VK - table.chances(theta_K)) + prior * (0.5 - _logistic(theta_K))
        step_K = np.linalg.solve(_information(table, theta_K, prior), slope_K)
        # The gain that the slope promises is what says whether there is anything left to gain.
        if slope_K @ step_K < TOLERANCE**2:
            return theta_K + step_K
        now, scale = _likelihood(table, theta_K, prior), 1.0
        while _likelihood(table, theta_K + scale * step_K, prior) < now and scale > TOLERANCE:
            scale /= 2
        theta_K = theta_K + scale * step_K
    return theta_K


def _likelihood(table: _Table, theta_K: Floats, prior: float) -> float:
    totals_V = np.logaddexp.reduce(np.where(table.entered_VK > 0, theta_K, -np.inf), axis=1)
    own = table.times_V @ (table.shares_VK @ theta_K - totals_V)
    return float(own + prior * (theta_K / 2 - np.logaddexp(0.0, theta_K)).sum())


def _information(table: _Table, theta_K: Floats, prior: float) -> Floats:
    """Minus the second derivatives. Positive definite: the prior holds the level of every group."""
    chances_VK = table.chances(theta_K)
    votes_KK = np.diag(table.times_V @ chances_VK) - chances_VK.T @ (table.times_V[:, None] * chances_VK)
    chance_K = _logistic(theta_K)
    return votes_KK + prior * np.diag(chance_K * (1 - chance_K))


def _logistic(theta_K: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-theta_K))


def _groups(table: _Table, systems: Sequence[str]) -> list[Group]:
    """Connected systems, the largest group first."""
    # beat[i, j]: i got a share of a win in a vote that j entered and did not win alone.
    entered_VK, shares_VK = table.entered_VK > 0, table.shares_VK > 0
    kept_VK = entered_VK & (table.shares_VK < 1)
    beat_KK = (shares_VK.T.astype(float) @ kept_VK.astype(float)) > 0
    reach_KK, linked_KK = _closure(beat_KK), _closure(beat_KK | beat_KK.T)
    groups = {tuple(np.flatnonzero(row).tolist()) for row in linked_KK}
    listed = [Group(tuple(systems[n] for n in group), bool(reach_KK[np.ix_(group, group)].all())) for group in groups]
    return sorted(listed, key=lambda group: (-len(group.systems), group.systems))


def _closure(edges_KK: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whom one reaches along edges, oneself included."""
    reach_KK = edges_KK | np.eye(len(edges_KK), dtype=bool)
    while True:
        further_KK = (reach_KK.astype(float) @ reach_KK.astype(float)) > 0
        if (further_KK == reach_KK).all():
            return reach_KK
        reach_KK = further_KK


def _centring(groups: Sequence[Group], systems: Sequence[str]) -> Floats:
    """The matrix that takes each group's mean away."""
    centre_KK = np.eye(len(systems))
    for group in groups:
        places = [systems.index(name) for name in group.systems]
        centre_KK[np.ix_(places, places)] -= 1.0 / len(places)
    return centre_KK


def _strength(table: _Table, system: str, place: int, group: int, value: float, margin: float) -> Strength:
    votes = table.times_V @ table.entered_VK[:, place]
    share = float(table.times_V @ table.shares_VK[:, place] / votes)
    return Strength(system, value, value - margin, value + margin, group, int(votes), share)
