"""Rollout records to trajectories: what is a turn, a search, a proposed answer, a verification, an ending."""

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
    WordReader,
    classify,
    trajectory_of,
)
from store.types import (
    AlternativeRecord,
    Failure,
    FailureKind,
    RolloutStatus,
    StepKind,
    StepRecord,
    ToolCallRecord,
)
from tests.evals.behaviour_kit import QUESTION, answer, rollout, search

WORDS = WordReader()


def test_searches_keep_turn_query_and_hits_of_their_own() -> None:
    made = trajectory_of(rollout(search("Atlas", "Atlas team", hits=(1, 2)), search("Ilse", hits=(3,)), answer("Ilse")))
    assert made.queries == ("Atlas", "Atlas team", "Ilse")
    assert [one.turn for one in made.searches] == [0, 0, 1]
    assert made.hits_by_turn() == [(1, 2, 1, 2), (3,), ()]
    assert made.finish is Finish.ANSWERED and made.turns == 3 and not made.ends_with_search


def test_refused_calls_and_other_tools_are_no_searches() -> None:
    calls = [
        ToolCallRecord("search", {"query": "Atlas"}, [1]),
        ToolCallRecord("search", {"query": "Atlas"}, error="asked before"),
        ToolCallRecord("clock", {}),
    ]
    made = trajectory_of(rollout(search("Atlas", calls=calls), answer("Ilse")))
    assert made.queries == ("Atlas",)


def test_compressions_and_votes_are_no_turns_and_compressions_make_the_peak() -> None:
    summary = StepRecord(StepKind.COMPRESS, "Ilse may lead.", prompt_tokens=90, sampled_tokens=9)
    vote = StepRecord(StepKind.ANSWER, "", alternatives=[AlternativeRecord("Ilse", 2.0, kept=True)])
    made = trajectory_of(rollout(search("Atlas"), summary, vote, answer("Ilse"), status=RolloutStatus.FINISHED))
    assert (made.turns, made.compressions, made.context_tokens, made.peak_tokens) == (2, 1, (15, 15), 99)


def test_endings() -> None:
    parse = Failure(FailureKind.PARSE, "no answer after 2 turns")
    malformed = rollout(search("Atlas"), StepRecord(StepKind.MALFORMED, "hm"), failure=parse)
    assert trajectory_of(rollout(search("Atlas"))).finish is Finish.TRUNCATED
    assert trajectory_of(malformed).finish is Finish.SILENT
    assert trajectory_of(malformed, limits=Limits(steps=2)).finish is Finish.TRUNCATED
    assert trajectory_of(rollout(search("Atlas"), answer("I don't know."))).finish is Finish.SILENT


def test_a_rollout_that_the_environment_failed_has_no_behaviour() -> None:
    with pytest.raises(ValueError, match="rollout r was failed by its environment"):
        trajectory_of(replace(rollout(search("Atlas")), status=RolloutStatus.FAILED))


def test_an_answer_stated_on_the_way_and_checked_twice() -> None:
    made = trajectory_of(
        rollout(
            search("Atlas"),
            search("Atlas team", "Ilse Petrov Atlas", said="The answer is most likely Ilse Petrov. "),
            search("Petrov manager"),
            answer("Ilse Petrov"),
        ),
        correct=True,
        limits=Limits(context_tokens=20),
    )
    assert made.proposals[0] == Proposal(1, "Ilse Petrov", Certainty.UNCERTAIN)
    assert made.proposals[-1] == Proposal(3, "Ilse Petrov", Certainty.CONFIDENT)
    assert (made.verifications, made.unchanged) == (2, True)
    assert classify(made).kind is BehaviourClass.EXPLORE_THEN_VERIFY


def test_a_first_answer_that_was_given_up_is_a_change() -> None:
    made = trajectory_of(rollout(search("Atlas", said="My guess is Farid Visser.\n"), answer("Ilse Petrov")))
    assert [one.text for one in made.proposals] == ["Farid Visser", "Ilse Petrov"]
    assert not made.unchanged


def test_the_final_answer_weighed_early_is_proposed_there_with_open_certainty() -> None:
    made = trajectory_of(rollout(search("Ilse", said="Let me verify that Ilse Petrov leads. "), answer("Ilse Petrov")))
    assert made.proposals[0] == Proposal(0, "Ilse Petrov", Certainty.OPEN)


def test_a_fact_on_the_way_proposes_nothing_although_the_rollout_ends_with_its_words() -> None:
    """The embedded policy answers with the bridge it stopped at: its next hops are no verification."""
    hops = [search("Fulmar"), search("Pivot", said="[3] Fulmar uses Pivot. "), search("Pivot uses")]
    made = trajectory_of(rollout(*hops, answer("Pivot", said="I checked it. [3] Fulmar uses Pivot. ")))
    assert [one.turn for one in made.proposals] == [3] and made.verifications == 0


@pytest.mark.parametrize(
    "step",
    [
        search("Ilse Petrov"),
        search("Ilse Petrov", text='<tool_call>{"name": "search", "arguments": {"query": "Ilse Petrov"}}</tool_call>'),
    ],
)
def test_to_search_for_a_name_is_not_to_propose_it(step: StepRecord) -> None:
    assert [one.turn for one in trajectory_of(rollout(step, answer("Ilse Petrov"))).proposals] == [1]


def test_an_answer_out_of_the_question_is_not_proposed_by_naming_the_question() -> None:
    made = trajectory_of(rollout(search("team", said="Atlas was built by a team. "), answer("Atlas")))
    assert [one.turn for one in made.proposals] == [1]


@pytest.mark.parametrize(
    ("said", "proposed"),
    [
        ("So the answer is **Ilse Petrov**.", "Ilse Petrov"),
        ("Exact Answer: Ilse Petrov\nConfidence: 40%", "Ilse Petrov"),
        ("<answer>Ilse Petrov</answer>", "Ilse Petrov"),
        ("The answer is Farid. No: the answer is Ilse Petrov; sure.", "Ilse Petrov"),
        ("The candidate would be 3.5 million", "3.5 million"),
        ("The answer is not in these notes.", None),
        ("The answer is still unclear", None),
        ("The answer: unknown", None),
        ("I need to answer the question", None),
        ("<search>answer: Ilse Petrov</search>", None),
    ],
)
def test_stated_answers(said: str, proposed: str | None) -> None:
    found = WORDS.proposals([said], question=QUESTION, answer="")
    assert [one.text for one in found] == ([proposed] if proposed else [])


@pytest.mark.parametrize(
    ("text", "stated", "certainty"),
    [
        ("Ilse Petrov", None, Certainty.CONFIDENT),
        ("It is probably Ilse", None, Certainty.UNCERTAIN),
        ("I\N{RIGHT SINGLE QUOTATION MARK}m not sure, Ilse", None, Certainty.UNCERTAIN),
        ("It is unlikely to be Farid: Ilse", None, Certainty.CONFIDENT),
        ("It is probably Ilse", 0.9, Certainty.CONFIDENT),
        ("Ilse", 0.7, Certainty.CONFIDENT),
        ("Ilse", 0.69, Certainty.OPEN),
        ("Ilse", 0.5, Certainty.OPEN),
        ("Ilse", 0.49, Certainty.UNCERTAIN),
    ],
)
def test_certainty(text: str, stated: float | None, certainty: Certainty) -> None:
    assert WORDS.certainty(text, stated) is certainty


@pytest.mark.parametrize(
    ("text", "declines"),
    [
        ("", True),
        ("N/A", True),
        ("Unknown.", True),
        ("I could not find it", True),
        ("Unknownville", False),
        ("No", False),
    ],
)
def test_refusals(text: str, declines: bool) -> None:
    assert WORDS.declines(text) is declines


@pytest.mark.parametrize(
    ("query", "proposed", "verifies"),
    [
        ("Petrov", "Ilse Petrov", True),
        ("Atlas team", "Ilse Petrov", False),
        ("Atlas", "Atlas", False),
        ("Ilse Petrov role", "Ilse Petrov of the Lisbon office since 2019", True),
        ("Ilse", "Ilse Petrov of the Lisbon office since 2019", False),
    ],
)
def test_queries_that_repeat_the_proposed_words_verify_it(query: str, proposed: str, verifies: bool) -> None:
    assert WORDS.verifies(query, proposed, question=QUESTION) is verifies


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("1,500,000", "1.5 million", True),
        ("Ilse Petrov, the lead", "Ilse Petrov", True),
        ("Ilse Petrov", "Farid Petrov", False),
        ("Ilse", "", False),
    ],
)
def test_same_answers(first: str, second: str, same: bool) -> None:
    assert WORDS.same(first, second) is WORDS.same(second, first) is same


class Labels(WordReader):
    """What a model said about the proposals, gathered beforehand."""

    def proposals(self, texts, *, question: str, answer: str) -> list[Proposal]:  # type: ignore[no-untyped-def]
        return [Proposal(0, "Farid Visser", Certainty.CONFIDENT)]


def test_another_reader_can_stand_in_for_the_words() -> None:
    made = trajectory_of(rollout(search("Atlas"), answer("Ilse")), reader=Labels())
    assert [one.text for one in made.proposals] == ["Farid Visser", "Ilse"]


@given(st.lists(st.text(max_size=40), min_size=1, max_size=6), st.text(max_size=20))
def test_any_text_can_be_read(texts: list[str], final: str) -> None:
    steps = [search(text or "x", said=text) for text in texts]
    made = trajectory_of(replace(rollout(*steps, answer("x")), answer=final))
    assert len(made.searches) == len(texts)
    assert [one.turn for one in made.proposals] == sorted(one.turn for one in made.proposals)
    assert classify(made).reason
