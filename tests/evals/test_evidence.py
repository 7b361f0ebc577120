"""Recall of gold chunks, unique documents, pass-rate transitions, and the profile of many rollouts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.behaviour import (
    Limits,
    PassState,
    Profile,
    Recall,
    Retrieved,
    recall_figures,
    recall_of,
    trajectory_of,
    transitions,
    unique_by_turn,
    unique_curve,
)
from tests.evals.behaviour_kit import answer, rollout, search

FOUR = trajectory_of(
    rollout(search("a", hits=(1, 2)), search("b", "c", hits=(2, 3)), search("d", hits=(4,)), answer("Ilse")),
    correct=True,
)


@pytest.mark.parametrize(
    ("gold", "recall"),
    [
        ({1}, Recall(1, 1, 1, 3)),
        ({1, 3}, Recall(2, 2, 2, 2)),  # complete with the second of the four searches
        ({4}, Recall(1, 1, 4, 0)),
        ({1, 9}, Recall(1, 2, 4, None)),
        ({9}, Recall(0, 1, 4, None)),
    ],
)
def test_searches_before_and_after_full_recall(gold: set[int], recall: Recall) -> None:
    assert recall_of(FOUR, gold) == recall


def test_all_some_none() -> None:
    parts = [recall_of(FOUR, gold) for gold in ({1, 2}, {1, 9}, {8, 9})]
    assert [part.retrieved for part in parts] == [Retrieved.ALL, Retrieved.SOME, Retrieved.NONE]
    assert [part.share for part in parts] == [1.0, 0.5, 0.0]
    with pytest.raises(ValueError, match="no gold chunks"):
        recall_of(FOUR, ())


def test_accuracy_given_what_was_retrieved() -> None:
    whole, half = recall_of(FOUR, {1, 3}), recall_of(FOUR, {1, 9})
    figures = recall_figures([(whole, True), (whole, True), (whole, False), (half, False), (half, None)])
    assert figures["recall"] == 0.8
    assert figures["accuracy"]["all"]["solved"]["mean"] == pytest.approx(0.6667)
    assert figures["accuracy"]["some"] == {"rollouts": 2, "solved": {"mean": 0.0, "low": 0.0, "high": 0.0}}
    assert figures["accuracy"]["none"] == {"rollouts": 0, "solved": None}
    assert figures["searches_to_full_recall"]["mean"] == figures["searches_after_full_recall"]["mean"] == 2


@given(st.sets(st.integers(1, 6), min_size=1))
def test_before_and_after_are_all_searches(gold: set[int]) -> None:
    recall = recall_of(FOUR, gold)
    assert recall.searches_before + (recall.searches_after or 0) == len(FOUR.searches)
    assert (recall.searches_after is not None) == (gold <= {1, 2, 3, 4})


def test_unique_documents_grow_by_turn() -> None:
    assert unique_by_turn(FOUR) == [2, 3, 4, 4]
    assert unique_by_turn(FOUR, {1: 10, 2: 10, 3: 11}) == [1, 2, 3, 3]  # 4 is in no document: one of its own
    assert unique_by_turn(FOUR, {1: 4, 2: 4, 3: 4}) == [1, 1, 2, 2]  # document 4 is not chunk 4


def test_a_rollout_that_is_over_stays_in_the_curve() -> None:
    assert unique_curve([[2, 4], [3], []]) == [pytest.approx(5 / 3), pytest.approx(7 / 3)]
    assert unique_curve([]) == []


def test_transitions_by_known_rates() -> None:
    before = {"a": 0.0, "b": 0.0, "c": 0.5, "d": 0.5, "e": 1.0, "gone": 1.0}
    after = {"a": 0.0, "b": 1.0, "c": 0.75, "d": 0.0, "e": 0.5, "new": 0.0}
    found = transitions(before, after)
    assert found.as_dict() == {
        "questions": 5,
        "only_before": 1,
        "only_after": 1,
        "matrix": {
            "unsolved": {"unsolved": 1, "partial": 0, "solved": 1},
            "partial": {"unsolved": 1, "partial": 1, "solved": 0},
            "solved": {"unsolved": 0, "partial": 1, "solved": 0},
        },
        "moves": {"gained": 2, "lost": 2, "stayed": 1},
    }
    assert [one.question for one in found.questions] == ["b", "c", "a", "d", "e"]
    assert [one.question for one in found.crossed(PassState.PARTIAL, PassState.UNSOLVED)] == ["d"]
    with pytest.raises(ValueError, match=r"pass rate 1\.5"):
        transitions({"a": 1.5}, {"a": 1.0})


rates = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from((0.0, 0.25, 1.0)))


@given(rates, rates)
def test_the_way_back_is_the_transposed_matrix(before: dict[str, float], after: dict[str, float]) -> None:
    there, back = transitions(before, after).matrix(), transitions(after, before).matrix()
    assert all(there[old][new] == back[new][old] for old in PassState for new in PassState)
    assert sum(sum(row.values()) for row in there.values()) == len(before.keys() & after.keys())


def test_a_profile_of_two_rollouts() -> None:
    profile = Profile(document_of={1: 10, 2: 10})
    profile.add(FOUR, name="first", gold={1, 3})
    cut_off = trajectory_of(rollout(search("a", hits=(1,))), correct=False, limits=Limits(context_tokens=20))
    profile.add(cut_off, name="second")
    figures = profile.as_dict()
    assert figures["classes"]["running_out_of_context"] == {
        "rollouts": 1,
        "share": 0.5,
        "solved": 0.0,
        "examples": [{"rollout": "second", "reason": "a budget ended it before it answered"}],
    }
    assert figures["searches"]["mean"] == 2.5 and figures["turns"]["most"] == 4
    assert figures["unique_documents"]["p50"] == 2.0
    assert figures["unique_documents_by_turn"] == [1.0, 1.5, 2.0, 2.0]
    assert figures["recall"]["rollouts"] == 1
    assert sum(part["rollouts"] for part in figures["classes"].values()) == profile.rollouts == 2


def test_an_empty_profile_has_no_figures() -> None:
    figures = Profile().as_dict()
    assert figures["turns"] is figures["recall"] is None and figures["rollouts"] == 0
