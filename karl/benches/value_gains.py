"""What guided search gains over parallel attempts: at every pair of temperatures, and each side at its best.

A gain is a mean over the questions of all seeds, with its bootstrap interval, and the mean of each seed beside it: the
interval takes the trainings as given, the seeds do not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from evals.statistics import interval
from graphs.schema.selection import Vote
from karl.benches.value_votes import SHUFFLES, STRATEGIES, Compared

BEST = "each at its best"


class Contest(NamedTuple):
    """Guided search by one value function at one temperature against parallel attempts at one; a row per question."""

    value: str
    guided: float
    parallel: float
    searches: int
    rows: list[Compared]

    @property
    def temperatures(self) -> str:
        return f"guided T {self.guided:g}, parallel T {self.parallel:g}"


class Contrast(NamedTuple):
    """A guided vote against a parallel one."""

    ours: Vote
    theirs: Vote

    def __str__(self) -> str:
        return f"guided {self.ours} over parallel {self.theirs}"


CLAIM = Contrast("weighted_majority", "majority")
CONTRASTS = (
    CLAIM,
    Contrast("majority", "majority"),
    Contrast("best_of_n", "majority"),
    Contrast("weighted_majority", "weighted_majority"),
)
Seeds = Mapping[int, Sequence[Contest]]  # every seed with the same contests, in the same order
OfSeeds = dict[int, Contest]  # seed -> the same contest


def vote_figures(seeds: Seeds) -> dict[str, Any]:
    """Value function -> pair of temperatures, or BEST -> searches -> shares answered right, tokens, gains."""
    found: dict[str, Any] = {}
    alike: dict[tuple[str, str], list[OfSeeds]] = {}
    for contests in zip(*seeds.values(), strict=True):
        first, of_seeds = contests[0], dict(zip(seeds, contests, strict=True))
        count = str(first.searches)
        found.setdefault(first.value, {}).setdefault(first.temperatures, {})[count] = _figures(of_seeds)
        alike.setdefault((first.value, count), []).append(of_seeds)
    for (value, count), own in alike.items():
        gains = {str(contrast): _best_gain(own, contrast) for contrast in CONTRASTS}
        found[value].setdefault(BEST, {})[count] = {"gains": gains}
    return found


def claimed(votes: Mapping[str, Any], *, searches: int) -> dict[str, Any]:
    """The gain of CLAIM alone: value function -> pair of temperatures, or BEST -> its figures."""
    return {
        value: {pair: counts[str(searches)]["gains"][str(CLAIM)] for pair, counts in pairs.items()}
        for value, pairs in votes.items()
    }


def lowest(gain: Mapping[str, Any]) -> float:
    """Above 0 where the interval's lower end and every seed's mean are."""
    return min(gain["gain"]["low"], *(value for key, value in gain.items() if key.startswith("seed ")))


def _figures(of_seeds: OfSeeds) -> dict[str, Any]:
    rows = _rows(of_seeds)
    return {
        "questions": len(rows),
        "guided": {name: _mean([row.guided[i] for row in rows]) for i, name in enumerate(STRATEGIES)},
        "parallel": {name: _mean([row.parallel[i] for row in rows]) for i, name in enumerate(STRATEGIES)},
        "guided_tokens": _mean([row.guided_tokens for row in rows]),
        "parallel_tokens": _mean([row.parallel_tokens for row in rows]),
        "parallel_attempts": _mean([row.parallel_attempts for row in rows]),
        "draws": SHUFFLES * len(rows),
        "short_draws": sum(row.short_draws for row in rows),
        "gains": {str(contrast): _gain(of_seeds, contrast) for contrast in CONTRASTS},
    }


def _gain(of_seeds: OfSeeds, contrast: Contrast) -> dict[str, Any]:
    ours, theirs = (STRATEGIES.index(name) for name in contrast)
    differences = {
        seed: [row.guided[ours] - row.parallel[theirs] for row in contest.rows] for seed, contest in of_seeds.items()
    }
    return {
        "gain": interval([one for own in differences.values() for one in own]).as_dict(),
        **{f"seed {seed}": _mean(own) for seed, own in differences.items()},
        "draws": SHUFFLES * sum(len(own) for own in differences.values()),
        "short_draws": sum(row.short_draws for row in _rows(of_seeds)),
    }


def _best_gain(contests: Sequence[OfSeeds], contrast: Contrast) -> dict[str, Any]:
    """Guided search at the temperature where it is most often right; then parallel attempts that cost as much."""
    ours, theirs = (STRATEGIES.index(name) for name in contrast)
    guided = _first(max(contests, key=lambda one: _mean([row.guided[ours] for row in _rows(one)]))).guided
    at_its_best = [one for one in contests if _first(one).guided == guided]
    best = max(at_its_best, key=lambda one: _mean([row.parallel[theirs] for row in _rows(one)]))
    return {
        **_gain(best, contrast),
        "guided": _mean([row.guided[ours] for row in _rows(best)]),
        "guided_temperature": guided,
        "parallel": _mean([row.parallel[theirs] for row in _rows(best)]),
        "parallel_temperature": _first(best).parallel,
    }


def _first(of_seeds: OfSeeds) -> Contest:
    return next(iter(of_seeds.values()))


def _rows(of_seeds: OfSeeds) -> list[Compared]:
    return [row for contest in of_seeds.values() for row in contest.rows]


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4)
