"""What models really write, and what the parsers make of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts import load_prompt
from prompts.output import CandidateSet, FinalAnswer, ParseFailure, Summary, ToolCalls

SOLVER = load_prompt("solver")
GENERATOR = load_prompt("generator")
TINY_GENERATOR = load_prompt("generator", variant="tiny")
COMPRESSOR = load_prompt("compressor")


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("<search>mira kvist</search>", "mira kvist"),
        ("I should look. <search> mira </search> Then more.", "mira"),
        ("<think>maybe <search>no</search></think>\n<search>yes</search>", "yes"),
        ("reasoning from the prompt </think><search>yes</search>", "yes"),
        ("<search>cut off in the mid", "cut off in the mid"),
        ("<think>never closed <search>still said</search>", "still said"),
        ("```xml\n<search>in a fence</search>\n```", "in a fence"),
        ("<search>\n```\nfenced inside\n```\n</search>", "fenced inside"),
        ("<answer>oslo</answer> wait <search>check</search>", "check"),
        ("<search>kept</search><search></search>", "kept"),
        ("<Search>any case</SEARCH>", "any case"),
    ],
)
def test_search(text: str, query: str) -> None:
    assert SOLVER.parse(text) == ToolCalls.search(query)


@pytest.mark.parametrize(
    "text",
    [
        "<search>mira</search> and <search> bram </search>",
        "<search>mira <SEARCH>bram",
        "<search>mira</search><search></search><search>bram</search>",
        "<search>mira</search><answer>oslo</answer> wait <search>bram</search>",
        "<think><search>no</search></think><search>mira</search><search>bram</search>",
    ],
)
def test_every_search_of_a_turn_counts_where_a_search_is_the_last_action(text: str) -> None:
    assert SOLVER.parse(text) == ToolCalls.search("mira", "bram")
    assert isinstance(SOLVER.parse(f"{text}</search><answer>oslo</answer>"), FinalAnswer)


@pytest.mark.parametrize(
    ("text", "answer", "confidence", "citations"),
    [
        ("[2] says so. <answer>Oslo</answer><confidence>80</confidence>", "Oslo", 0.8, (2,)),
        ("<answer>Oslo [3, 1].</answer>\n<confidence> 75 % </confidence>", "Oslo.", 0.75, (3, 1)),
        ("<answer>x</answer> rather <answer>y", "y", None, ()),
        ("<answer>y <confidence>40", "y", 0.4, ()),
        ("<answer>y</answer><confidence>400</confidence>", "y", None, ()),
        ("<answer>y</answer><confidence>1</confidence>", "y", 1.0, ()),
        ("<answer>y</answer><confidence>1%</confidence>", "y", 0.01, ()),
        ("<answer>y</answer><confidence>0.85</confidence>", "y", 0.85, ()),
        ("<answer>y</answer><confidence>0</confidence>", "y", 0.0, ()),
        ("<answer>y</answer><confidence>12/10</confidence>", "y", None, ()),
        ("[4-6, 2] <ANSWER>Oslo [9 \u2013 10]</ANSWER><Confidence>80</Confidence>", "Oslo", 0.8, (4, 5, 6, 2, 9, 10)),
        ("[1900-2020] [6-4] <answer>y", "y", None, (1900, 2020, 6, 4)),
        ("<answer>y</answer><confidence>high</confidence>", "y", None, ()),
        ("<search>a</search>\n<answer>b</answer>", "b", None, ()),
        ("<answer>b</answer> as in the <search> step I did.", "b", None, ()),
        ("<search>a</search><answer>b</answer> as in the <search> step I did.", "b", None, ()),
        ("<answer type='x'>b</answer><confidence unit=percent>80</confidence >", "b", 0.8, ()),
        ("a <search engine> said <answer>b</answer>", "b", None, ()),
    ],
)
def test_answer(text: str, answer: str, confidence: float | None, citations: tuple[int, ...]) -> None:
    parsed = SOLVER.parse(text)
    assert isinstance(parsed, FinalAnswer)
    assert (parsed.text, parsed.confidence, parsed.citations) == (answer, confidence, citations)


def test_a_closed_search_stands_where_prose_mentions_the_answer() -> None:
    assert SOLVER.parse("<search>mira</search> then I will <answer> it.") == ToolCalls.search("mira")
    candidates = GENERATOR.parse("<search>mira</search> <candidate><question>Who?</question><answer>Ada</answer>")
    assert isinstance(candidates, CandidateSet)


@pytest.mark.parametrize(
    ("before", "explanation"),
    [
        ("It says so [2].\n```xml\n", "It says so [2]."),
        ("One:\n```\nx = 1\n```\n", "One:\n```\nx = 1\n```"),
        ("<answer>A</answer><confidence>9</confidence> No: [2].", "No: [2]."),
        ("<answer>A. No: [2]. ", "A. No: [2]."),
        ("<think>I found it ", "I found it"),
    ],
)
def test_the_explanation_holds_no_marks(before: str, explanation: str) -> None:
    parsed = SOLVER.parse(f"{before}<answer>B</answer>")
    assert isinstance(parsed, FinalAnswer) and (parsed.text, parsed.explanation) == ("B", explanation)


@pytest.mark.parametrize("text", ["", "just prose", "<answer></answer>", "<think>hm</think>", "<summary>s</summary>"])
def test_nothing_to_do_is_a_typed_failure_with_the_text(text: str) -> None:
    parsed = SOLVER.parse(text)
    assert isinstance(parsed, ParseFailure) and parsed.text == text and "<search> or <answer>" in parsed.reason


def test_candidates() -> None:
    parsed = GENERATOR.parse(
        "<candidate><question>Who?</question><answer>Ada, Bo</answer><nugget>Ada</nugget><nugget>Bo</nugget>"
        "Because [1] and [4].</candidate> and <candidate><question>What?</question>[2]<answer>"
        "</candidate><candidate><question>Where? <answer>Oslo [3]"
    )
    assert isinstance(parsed, CandidateSet)
    first, second, third = parsed.candidates
    assert (first.question, first.answer, first.nuggets, first.citations) == ("Who?", "Ada, Bo", ("Ada", "Bo"), (1, 4))
    assert second.problem == "no <answer> in the candidate" and "What?" in second.text
    assert (third.question, third.answer, third.nuggets, third.citations) == ("Where?", "Oslo", ("Oslo",), (3,))


def test_tiny_candidate_splits_its_answer_into_nuggets() -> None:
    parsed = TINY_GENERATOR.parse("[1] x <question> who leads? </question> <answer> Ada, Bo </answer>")
    assert isinstance(parsed, CandidateSet)
    assert [(c.question, c.nuggets) for c in parsed.candidates] == [("who leads?", ("Ada", "Bo"))]


def test_summary_with_and_without_tags() -> None:
    assert COMPRESSOR.parse("<think>x</think><summary>\n[1] a\n</summary>") == Summary("[1] a")
    assert COMPRESSOR.parse("[1] a") == Summary("[1] a")
    assert isinstance(COMPRESSOR.parse("  "), ParseFailure)


PIECES = [*"<>/ax1[]` \n", "<search>", "</search>", "<answer>", "</answer>", "<think>", "</think>", "```", "<question>"]


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_no_text_whatever_raises(text: str) -> None:
    for prompt in (SOLVER, GENERATOR, TINY_GENERATOR, COMPRESSOR):
        assert prompt.parse(text) is not None
