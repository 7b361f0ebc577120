"""The six classes: each rule at its boundary, and which of two that fit comes first."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.behaviour import (
    BehaviourClass,
    Certainty,
    Finish,
    Limits,
    Proposal,
    Rules,
    Search,
    Trajectory,
    classify,
)

WINDOW = Limits(context_tokens=1000)


def searching(
    turns: int, *, tokens: int = 500, answered: bool = True, queries: int = 1, **changes: object
) -> Trajectory:
    """All turns but an answering last one search, for `queries` words in turn; half of the window is used."""
    searches = turns - 1 if answered else turns
    made = Trajectory(
        question="?",
        context_tokens=(tokens,) * turns,
        searches=tuple(Search(turn, f"query {turn % queries}") for turn in range(searches)),
        finish=Finish.ANSWERED if answered else Finish.TRUNCATED,
        answer="Ilse" if answered else "",
        certainty=Certainty.CONFIDENT if answered else Certainty.OPEN,
        proposals=(Proposal(turns - 1, "Ilse", Certainty.CONFIDENT),) if answered else (),
        unchanged=answered,
        peak_tokens=tokens,
        limits=WINDOW,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_a_budget_that_ends_the_rollout_is_running_out_whatever_else_fits() -> None:
    behaviour = classify(searching(30, answered=False))
    assert behaviour.kind is BehaviourClass.RUNNING_OUT_OF_CONTEXT
    assert behaviour.reason == "a budget ended it before it answered"


@pytest.mark.parametrize(("tokens", "runs_out"), [(850, False), (851, True)])
def test_still_searching_above_85_percent_is_running_out(tokens: int, runs_out: bool) -> None:
    behaviour = classify(searching(9, tokens=tokens, queries=9))
    assert (behaviour.kind is BehaviourClass.RUNNING_OUT_OF_CONTEXT) is runs_out
    assert behaviour.features.used_at_last_search == tokens / 1000


def test_a_full_context_at_the_answer_alone_is_not_running_out() -> None:
    late = searching(9, queries=9, context_tokens=(500,) * 8 + (990,), peak_tokens=990)
    assert classify(late).kind is BehaviourClass.EXPLORE_THEN_COMMIT


def test_steps_count_as_context_where_their_limit_is_given() -> None:
    limits = Limits(context_tokens=1000, steps=10)
    assert classify(searching(10, tokens=100, limits=limits)).kind is BehaviourClass.RUNNING_OUT_OF_CONTEXT
    assert classify(searching(10, tokens=100, limits=limits)).features.used_at_last_search == 0.9
    assert classify(searching(8, tokens=100, limits=limits)).features.used == 0.8
    assert classify(searching(8, tokens=100)).features.used == 0.1


@pytest.mark.parametrize(("searches", "exhaustive"), [(9, False), (10, True)])
def test_ten_searches_and_an_uncertain_answer_are_exhaustive(searches: int, exhaustive: bool) -> None:
    behaviour = classify(searching(searches + 1, certainty=Certainty.UNCERTAIN))
    assert (behaviour.kind is BehaviourClass.EXHAUSTIVE_SEARCH) is exhaustive


def test_ten_searches_and_no_answer_are_exhaustive_a_sure_answer_is_not() -> None:
    silent = searching(11, finish=Finish.SILENT, answer="", proposals=(), unchanged=False)
    assert classify(silent).kind is BehaviourClass.EXHAUSTIVE_SEARCH
    assert classify(silent).reason == "10 searches and no answer"
    assert classify(searching(11)).kind is not BehaviourClass.EXHAUSTIVE_SEARCH


@pytest.mark.parametrize(("searches", "tokens", "gives_up"), [(7, 399, True), (8, 399, False), (7, 400, False)])
def test_few_searches_on_little_context_are_giving_up_early(searches: int, tokens: int, gives_up: bool) -> None:
    behaviour = classify(searching(searches + 1, tokens=tokens, queries=9))
    assert (behaviour.kind is BehaviourClass.GIVING_UP_EARLY) is gives_up


def test_who_ends_with_a_search_does_not_give_up() -> None:
    ends = searching(3, tokens=100, finish=Finish.SILENT, searches=(Search(2, "query"),), answer="", proposals=())
    assert classify(ends).features.ends_with_search
    assert classify(ends).kind is BehaviourClass.UNCLASSIFIED


def wrong_at(turn: int, **changes: object) -> Trajectory:
    """Ten turns; the wrong answer stands from `turn` on."""
    proposals = (Proposal(turn, "Ilse", Certainty.CONFIDENT), Proposal(9, "Ilse", Certainty.CONFIDENT))
    return searching(10, queries=9, **({"proposals": proposals, "correct": False} | changes))


@pytest.mark.parametrize(("turn", "early"), [(0, True), (4, True), (5, False)])
def test_a_wrong_answer_of_the_first_half_that_stays_is_confidently_wrong(turn: int, early: bool) -> None:
    behaviour = classify(wrong_at(turn))
    assert (behaviour.kind is BehaviourClass.CONFIDENTLY_WRONG_EARLY) is early
    assert behaviour.features.first_answer_at == pytest.approx((turn + 0.5) / 10)


def test_it_takes_confidence_a_wrong_verdict_and_no_change_of_mind() -> None:
    hedged = (Proposal(1, "Ilse", Certainty.OPEN), Proposal(9, "Ilse", Certainty.CONFIDENT))
    for changes in ({"correct": True}, {"correct": None}, {"unchanged": False}, {"proposals": hedged}):
        assert classify(wrong_at(1, **changes)).kind is BehaviourClass.EXPLORE_THEN_COMMIT


def test_wrong_comes_before_verified() -> None:
    assert classify(wrong_at(2, verifications=5)).kind is BehaviourClass.CONFIDENTLY_WRONG_EARLY


@pytest.mark.parametrize(("turn", "checks", "verified"), [(6, 2, True), (6, 1, False), (7, 2, False)])
def test_two_checks_of_an_answer_before_70_percent_are_verification(turn: int, checks: int, verified: bool) -> None:
    behaviour = classify(wrong_at(turn, correct=True, verifications=checks))
    assert (behaviour.kind is BehaviourClass.EXPLORE_THEN_VERIFY) is verified


@pytest.mark.parametrize(("queries", "commits"), [(1, False), (2, True)])
def test_two_distinct_queries_in_the_first_third_are_exploration(queries: int, commits: bool) -> None:
    behaviour = classify(searching(9, queries=queries))
    assert (behaviour.kind is BehaviourClass.EXPLORE_THEN_COMMIT) is commits
    assert behaviour.features.early_queries == queries


def test_spellings_of_one_query_are_not_distinct() -> None:
    same = (Search(0, "Ilse Petrov"), Search(1, "ilse  petrov."), Search(2, "the Ilse Petrov"))
    assert classify(searching(9, searches=same)).features.early_queries == 1


def test_the_rest_says_what_kept_the_rules_off() -> None:
    behaviour = classify(searching(9, queries=1))
    assert behaviour.kind is BehaviourClass.UNCLASSIFIED
    assert behaviour.reason == (
        "no rule fits an answer after 8 searches on 50% of the context, with distinct queries in the first third: 1"
    )


def test_unknown_limits_fire_no_rule_about_the_context() -> None:
    unknown = searching(3, tokens=5, limits=Limits())
    assert classify(unknown).features.used is None
    assert classify(unknown).kind is BehaviourClass.UNCLASSIFIED


def test_an_agent_that_counted_no_tokens_is_not_said_to_have_used_none() -> None:
    uncounted = searching(3, tokens=0)
    assert classify(uncounted).features.used is None
    assert classify(uncounted).kind is BehaviourClass.UNCLASSIFIED
    assert classify(searching(3, tokens=0, limits=Limits(1000, steps=10))).features.used == 0.3
    nothing = replace(uncounted, context_tokens=(), searches=(), proposals=())
    assert classify(nothing).features.used is None


def test_the_figures_of_the_rules_can_be_scaled() -> None:
    assert classify(searching(4, certainty=Certainty.UNCERTAIN)).kind is not BehaviourClass.EXHAUSTIVE_SEARCH
    scaled = Rules(exhaustive_searches=3)
    assert classify(searching(4, certainty=Certainty.UNCERTAIN), rules=scaled).kind is BehaviourClass.EXHAUSTIVE_SEARCH


trajectories = st.builds(
    searching,
    st.integers(1, 40),
    tokens=st.integers(1, 1200),
    answered=st.booleans(),
    queries=st.integers(1, 5),
    certainty=st.sampled_from(Certainty),
    verifications=st.integers(0, 4),
    correct=st.sampled_from((True, False, None)),
    limits=st.sampled_from((WINDOW, Limits(), Limits(steps=20))),
)


@given(trajectories)
def test_every_trajectory_has_one_class_and_a_reason(trajectory: Trajectory) -> None:
    behaviour = classify(trajectory)
    assert behaviour.kind in BehaviourClass and behaviour.reason
    assert behaviour == classify(trajectory)
    if trajectory.finish is Finish.TRUNCATED:
        assert behaviour.kind is BehaviourClass.RUNNING_OUT_OF_CONTEXT
    assert behaviour.as_dict()["class"] == behaviour.kind.value
