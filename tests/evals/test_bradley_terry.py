"""Strengths from votes: known ones come back, what should not matter does not, and what votes can't tell is said."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from evals.bradley_terry import PRIOR, Pair, Standing, Vote, probability, standing, win_matrix

KNOWN = {"a": 0.9, "b": 0.3, "c": -0.2, "d": -1.0}


def vote(entrants: str, winners: str) -> Vote:
    return Vote(frozenset(entrants), frozenset(winners))


def simulated(count: int, *, seed: int, at_once: int = 2, ties: float = 0.0) -> list[Vote]:
    """Votes of people who prefer by KNOWN, and leave a share of them undecided."""
    rng, made = random.Random(seed), list[Vote]()
    for _ in range(count):
        entrants = rng.sample(sorted(KNOWN), at_once)
        (winner,) = rng.choices(entrants, [math.exp(KNOWN[name]) for name in entrants])
        tied = rng.random() < ties
        made.append(Vote(frozenset(entrants), frozenset(entrants if tied else [winner])))
    return made


def by_system(found: Standing) -> dict[str, float]:
    return {one.system: one.strength for one in found.strengths}


@st.composite
def some_votes(draw: st.DrawFn) -> list[Vote]:
    def one() -> Vote:
        entrants = draw(st.sets(st.sampled_from("abcdef"), min_size=2, max_size=4))
        return Vote(frozenset(entrants), frozenset(draw(st.sets(st.sampled_from(sorted(entrants)), min_size=1))))

    return [one() for _ in range(draw(st.integers(1, 12)))]


# -- known strengths come back ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_once", [2, 3])
def test_intervals_hold_the_known_strengths_as_often_as_they_say(at_once: int) -> None:
    held = [
        one.low <= KNOWN[one.system] <= one.high
        for seed in range(75)
        for one in standing(simulated(200, seed=seed, at_once=at_once)).strengths
    ]
    assert len(held) == 300 and 0.92 <= sum(held) / len(held) <= 0.985


def test_many_votes_leave_little_room() -> None:
    found = standing(simulated(20_000, seed=5))
    assert [one.system for one in found.strengths] == list("abcd")
    for one in found.strengths:
        assert one.strength == pytest.approx(KNOWN[one.system], abs=0.06) and one.high - one.low < 0.15


def test_ties_draw_systems_together() -> None:
    clear, undecided = (by_system(standing(simulated(2000, seed=1, ties=share))) for share in (0.0, 0.5))
    assert 0 < undecided["a"] - undecided["d"] < clear["a"] - clear["d"]


def test_a_pair_by_hand() -> None:
    """Three wins of four between two: log odds of 3, drawn in by one vote of each against strength 0."""
    found = standing([vote("ab", "a")] * 3 + [vote("ab", "b")])
    strength = found.strengths[0].strength
    # By symmetry b = -a, and the slope of the likelihood at the maximum is 0.
    slope = 3 - 4 * probability(strength, -strength) + PRIOR * (0.5 - probability(strength, 0.0))
    assert slope == pytest.approx(0.0, abs=1e-9) and 0.3 < strength < math.log(3) / 2
    information = 8 * probability(strength, -strength) * probability(-strength, strength)
    information += PRIOR * probability(strength, 0) * probability(0, strength)
    assert found.strengths[0].high - strength == pytest.approx(1.959964 / math.sqrt(2 * information), rel=1e-6)


# -- an independent way to the same numbers --------------------------------------------------------------------------


def minorized(votes: Sequence[Vote], *, rounds: int = 4000) -> dict[str, float]:
    """Hunter (2004), section 5: worth = wins / sum over its votes of 1 / (worth of all entrants), prior included."""
    names = sorted({name for one in votes for name in one.entrants})
    worth = dict.fromkeys(names, 1.0)
    won = dict.fromkeys(names, PRIOR / 2)
    for one in votes:
        for name in one.winners:
            won[name] += 1 / len(one.winners)
    for _ in range(rounds):
        shares = dict.fromkeys(names, 0.0)
        for one in votes:
            total = sum(worth[name] for name in one.entrants)
            for name in one.entrants:
                shares[name] += 1 / total
        worth = {name: won[name] / (shares[name] + PRIOR / (worth[name] + 1)) for name in names}
    return {name: math.log(value) for name, value in worth.items()}


def test_hunters_algorithm_finds_the_same() -> None:
    votes = [*simulated(30, seed=2), *simulated(20, seed=3, at_once=3, ties=0.3)]
    ours, theirs = by_system(standing(votes)), minorized(votes)
    mean = sum(theirs.values()) / len(theirs)
    assert ours == pytest.approx({name: value - mean for name, value in theirs.items()}, abs=1e-6)


# -- what must not matter --------------------------------------------------------------------------------------------


@given(some_votes(), st.randoms(use_true_random=False))
@hypothesis_settings(max_examples=60)
def test_neither_order_nor_names_of_systems_matter(votes: list[Vote], rng: random.Random) -> None:
    plain = by_system(standing(votes))
    shuffled = rng.sample(votes, len(votes))
    assert by_system(standing(shuffled)) == pytest.approx(plain, abs=1e-7)
    other = {name: chr(ord("z") - ord(name) + ord("a")) for name in "abcdef"}
    renamed = [
        Vote(frozenset(other[n] for n in one.entrants), frozenset(other[n] for n in one.winners)) for one in votes
    ]
    assert by_system(standing(renamed)) == pytest.approx({other[n]: v for n, v in plain.items()}, abs=1e-7)


@given(some_votes())
@hypothesis_settings(max_examples=60)
def test_strengths_are_finite_and_centred_whatever_the_votes(votes: list[Vote]) -> None:
    found = standing(votes)
    for number, group in enumerate(found.groups):
        own = [one for one in found.strengths if one.group == number]
        assert sorted(one.system for one in own) == sorted(group.systems)
        assert sum(one.strength for one in own) == pytest.approx(0.0, abs=1e-7)
    for one in found.strengths:
        assert math.isfinite(one.low) and math.isfinite(one.high) and one.low <= one.strength <= one.high
        assert 0.0 <= one.share <= 1.0 and one.votes == sum(one.system in each.entrants for each in votes)


@given(some_votes(), st.sets(st.sampled_from("abcdef"), min_size=2, max_size=4), st.data())
@hypothesis_settings(max_examples=60)
def test_one_more_win_never_makes_weaker(votes: list[Vote], entrants: set[str], data: st.DataObject) -> None:
    winner = data.draw(st.sampled_from(sorted(entrants)))
    # All in one group, so that the mean is over the same systems before and after.
    joined = [*votes, vote("abcdef", "abcdef")]
    before, after = (by_system(standing(one))[winner] for one in (joined, [*joined, vote("".join(entrants), winner)]))
    assert after > before - 1e-9


# -- what votes can't tell -------------------------------------------------------------------------------------------


def test_a_system_that_never_lost_is_strong_and_said_to_be_unmeasured() -> None:
    few, many = (standing([vote("ab", "a")] * count) for count in (3, 300))
    for found in (few, many):
        assert [(one.system, one.share, one.extreme) for one in found.strengths] == [("a", 1.0, True), ("b", 0.0, True)]
        assert found.groups == [(("a", "b"), False)]
    assert 0 < few.strengths[0].strength < many.strengths[0].strength < 10
    # Three votes that agree are little evidence: the interval of the difference still holds 0.
    assert few.strengths[0].low < 0 < many.strengths[0].low


def test_systems_that_no_vote_connects_stand_in_groups_of_their_own() -> None:
    found = standing([vote("ab", "a"), vote("ab", "b"), vote("cd", "c"), vote("de", "d"), vote("ce", "ce")])
    assert [group.systems for group in found.groups] == [("c", "d", "e"), ("a", "b")]
    # c never lost to d, d never lost to e; the tie of c and e closes the circle.
    assert [group.finite for group in found.groups] == [True, True]
    assert (found.strengths[0].system, found.strengths[0].group) == ("c", 0)
    assert by_system(found)["a"] == pytest.approx(0.0, abs=1e-9)
    apart = standing([vote("ab", "a"), vote("ab", "b")])
    assert by_system(found)["a"] == pytest.approx(by_system(apart)["a"], abs=1e-9)


def test_no_votes_and_no_votes_at_all() -> None:
    assert standing([]) == Standing([], []) and win_matrix([]) == {}
    for entrants, winners in (("a", "a"), ("ab", ""), ("ab", "c")):
        with pytest.raises(ValueError, match="a winner among them"):
            vote(entrants, winners)


# -- the matrix ------------------------------------------------------------------------------------------------------


def test_a_vote_among_three_compares_the_winner_with_each() -> None:
    table = win_matrix([vote("abc", "a"), vote("ab", "ab"), vote("ab", "b")])
    assert table["a"] == {"b": Pair(1, 1, 1), "c": Pair(1, 0, 0)}
    assert table["b"]["c"].rate is None and table["c"]["a"].rate == 0.0
    assert (table["a"]["b"].rate, table["b"]["a"].rate) == (0.5, 0.5)


@given(some_votes())
@hypothesis_settings(max_examples=60)
def test_what_one_wins_the_other_loses(votes: list[Vote]) -> None:
    table = win_matrix(votes)
    for one, row in table.items():
        for other, pair in row.items():
            mirrored = table[other][one]
            assert (pair.wins, pair.ties, pair.losses) == (mirrored.losses, mirrored.ties, mirrored.wins)
            assert pair.rate is None or pair.rate + (mirrored.rate or 0.0) == pytest.approx(1.0)
