"""Answers as models write them under the parsers `blocks`, `json` and `tool_calls`."""

from __future__ import annotations

from typing import Any

import pytest

from prompts.output import CandidateSet, FinalAnswer, OutputSpec, ParseFailure, Summary, ToolCall, ToolCalls
from prompts.parsers import parse


def spec(parser: str, *actions: str, **more: Any) -> OutputSpec:
    return OutputSpec.model_validate({"parser": parser, **({"actions": actions} if actions else {}), **more})


BLOCKS = spec("blocks", "search", "answer")
JSON = spec("json", "search", "answer")
NATIVE = spec("tool_calls")


@pytest.mark.parametrize(
    ("text", "answer", "confidence"),
    [
        ("Explanation: it says so [2].\nExact Answer: Oslo\nConfidence: 80%", "Oslo", 0.8),
        ("**Explanation:** so [2]\n\n**Exact Answer:** **Oslo**\n\n**Confidence:** 80 %", "Oslo", 0.8),
        ("**Explanation**: so [2]\n**Exact answer**: Oslo [2].\n**Confidence**: 0.8", "Oslo.", 0.8),
        ("### Explanation\nso [2]\n### Exact Answer: Oslo\n### Confidence: 8/10", "Oslo", 0.8),
        ("- Explanation: so [2]\n- Exact Answer: `Oslo`\n- Confidence score: 80 percent", "Oslo", 0.8),
        ("1. Explanation: so [2]\n2. Exact Answer: “Oslo”\n3. Confidence: about 80%", "Oslo", 0.8),
        ("exact answer: Oslo\nexplanation: later [2]\nconfidence level: 80%", "Oslo", 0.8),
        ("Confidence: 80%\nExplanation: [2]\nExact Answer: Oslo", "Oslo", 0.8),
        ("Exact Answer: Lima\nConfidence: 10%\nNo. [2]\nExact Answer: Oslo\nConfidence: 80%", "Oslo", 0.8),
        ("<think>Exact Answer: Lima</think>[2]\nExact Answer: Oslo\nConfidence: 80%", "Oslo", 0.8),
        ("thought</think>[2]\nExact Answer: Oslo\nConfidence: 80%", "Oslo", 0.8),
        ("<think>cut off [2]\nExact Answer: Oslo\nConfidence: 80%", "Oslo", 0.8),
        ("```\nExplanation: [2]\nExact Answer: Oslo\nConfidence: 80%\n```", "Oslo", 0.8),
        ("[2]\nExact Answer:\nOslo\n\nConfidence: 80%\nAnything else you need?", "Oslo", 0.8),
        ("[2]\nFinal Answer: Oslo\n\nAnything else you need?", "Oslo", None),
        ("[2]\nExact Answer: Oslo\nConfidence: high", "Oslo", None),
        ("[2]\nExact Answer: Oslo, Norway: the capital\nConfidence: 100", "Oslo, Norway: the capital", 1.0),
        ("[2]\nExact Answer: Ada\nBo\n\nCy\nConfidence: 5", "Ada\nBo\n\nCy", 0.05),
        ('[2]\nExact Answer: "A" and "B"\nConfidence: 250%', '"A" and "B"', None),
        ("[2]\nExact Answer\uff1a奥斯陆\nConfidence\uff1a80%", "奥斯陆", 0.8),
        ("[2]\n> **_Exact Answer:_** Oslo\n> Confidence: 80%", "Oslo", 0.8),
        ("### Explanation\nso [2]\n\n### Exact Answer\nOslo\n\n### Confidence\n80%", "Oslo", 0.8),
        ("[2]\n## **Exact Answer** ##\n\nAda\n\nBo\n\n## Notes\nnone\n## Confidence\n80%", "Ada\n\nBo", 0.8),
        ("[2]\n**Exact Answer**\nOslo\n\n**Confidence**\n80%\n\nAnything else?", "Oslo", 0.8),
        ("[2]\n### Exact Answer: Oslo\n\nAnything else you need?", "Oslo", None),
    ],
)
def test_blocks(text: str, answer: str, confidence: float | None) -> None:
    parsed = parse(text, BLOCKS)
    assert isinstance(parsed, FinalAnswer), parsed
    assert (parsed.text.removesuffix("\n>").strip(), parsed.citations) == (answer, (2,))
    assert parsed.confidence == (None if confidence is None else pytest.approx(confidence))


def test_explanation_is_the_block_or_what_stands_before_the_answer() -> None:
    first = parse("Hm.\nExplanation: it says so [2].\nTwice.\nExact Answer: Oslo", BLOCKS)
    second = parse("It says so [2].\nExact Answer: Oslo", BLOCKS)
    assert isinstance(first, FinalAnswer) and first.explanation == "it says so [2].\nTwice."
    assert isinstance(second, FinalAnswer) and second.explanation == "It says so [2]."


@pytest.mark.parametrize(
    "text",
    ["", "Exact Answer:", "The exact answer: is unknown", "Exact Answer:\nConfidence: 3%", "The exact\nanswer\nOslo"],
)
def test_blocks_without_an_answer_are_a_failure_that_keeps_the_text(text: str) -> None:
    assert parse(text, BLOCKS) == ParseFailure("no <search> or line 'Exact Answer: ...' was found in the turn", text)


def test_blocks_take_searches_in_tags_and_the_last_counts() -> None:
    assert parse("Exact Answer: Oslo\nNo: <search>mira</search>", BLOCKS) == ToolCalls.search("mira")
    assert isinstance(parse("<search>mira</search>\nExact Answer: Oslo", BLOCKS), FinalAnswer)


@pytest.mark.parametrize(
    ("text", "answer", "confidence"),
    [
        ('{"explanation": "so [2]", "answer": "Oslo", "confidence": 80}', "Oslo", 0.8),
        ('```json\n{"explanation": "so [2]", "answer": "Oslo", "confidence": "80%",}\n```', "Oslo", 0.8),
        ("so [2]: {'answer': 'Oslo', 'confidence': 0.8} That is all.", "Oslo", 0.8),
        ("{“answer”: “Oslo”, “confidence”: 80, “citations”: [2]}", "Oslo", 0.8),
        ('{"answer": "Lima"} no, [2]: {"exact_answer": "Oslo [2]", "confidence": 80}', "Oslo", 0.8),
        ('<think>{"answer": "Lima"}</think>[2]{"answer": "Oslo", "confidence": 80}', "Oslo", 0.8),
        ('{"explanation": "so [2]", "confidence": 80, "answer": "Oslo', "Oslo", 0.8),
        ('{"answer": ["Ada", "Bo"], "citations": [2], "confidence": 80}', "Ada, Bo", 0.8),
        ('{"answer": 1912, "citations": [2]}', "1912", None),
        ('[2] {"answer": "Oslo", "confidence": 0.', "Oslo", None),
        ('[2] {"answer": "Oslo", "confidence": "8', "Oslo", None),
        ('[2] {"answer": "Oslo", "confidence": 80\n', "Oslo", 0.8),
        ('{"search": "mira"} [2] {"answer": "Oslo"} {"note": 1}', "Oslo", None),
    ],
)
def test_json(text: str, answer: str, confidence: float | None) -> None:
    parsed = parse(text, JSON)
    assert isinstance(parsed, FinalAnswer), parsed
    assert (parsed.text, parsed.citations) == (answer, (2,))
    assert parsed.confidence == (None if confidence is None else pytest.approx(confidence))


def test_json_searches_summaries_and_failures() -> None:
    assert parse('I look.\n{"search": "mira"}', JSON) == ToolCalls.search("mira")
    for both in ('{"search": "mira"} {"answer": "oslo"} {"query": "bram"}', '{"search": ["mira", "bram"]}'):
        assert parse(both, JSON) == ToolCalls.search("mira", "bram")
    assert parse('{"summary": "[1] a"}', spec("json", "summary")) == Summary("[1] a")
    assert parse("[1] a", spec("json", "summary", bare_summary=True)) == Summary("[1] a")
    for text in ("", "Oslo", "{}", '{"answer": ""}', '{"summary": "s"}', "[1, 2]"):
        reason = 'no JSON object with the key "search" or JSON object with the key "answer" was found in the turn'
        assert parse(text, JSON) == ParseFailure(reason, text)


def test_json_candidates() -> None:
    text = (
        '{"candidates": [{"question": "Who?", "answer": "Ada, Bo", "nuggets": ["Ada [1]", "Bo"], "citations": [1, 4]},'
        ' {"question": "What?"}, "rubbish"]}'
    )
    parsed = parse(text, spec("json", "candidates"))
    assert isinstance(parsed, CandidateSet)
    first, second = parsed.candidates
    assert (first.question, first.answer, first.nuggets, first.citations) == ("Who?", "Ada, Bo", ("Ada", "Bo"), (1, 4))
    assert second.problem == "no <answer> in the candidate" and "What?" in second.text
    assert parse('[{"question": "Who?", "answer": "Ada"}]', spec("json", "candidates")) != parsed


MIRA = ToolCall("search", {"query": "mira"})


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ('<tool_call>{"name": "search", "arguments": {"query": "mira"}}</tool_call>', ToolCalls((MIRA,))),
        ("<think>x</think>Oslo [2].", FinalAnswer("Oslo.", citations=(2,))),
        ("Explanation: so [2]\nExact Answer: Oslo\nConfidence: 80%", FinalAnswer("Oslo", "so [2]", 0.8, (2,))),
        ("so [2]<answer>Oslo</answer>", FinalAnswer("Oslo", "so [2]", None, (2,))),
        ("<think>cut off in the middle of a thought", ParseFailure("no tool call or answer was found in the turn", "")),
    ],
)
def test_native_calls_and_anything_else_is_the_answer(text: str, parsed: Any) -> None:
    found = parse(text, NATIVE)
    if isinstance(parsed, ParseFailure):
        parsed = ParseFailure(parsed.reason, text)
    assert found == parsed


def test_the_graph_may_name_the_format_that_auto_means() -> None:
    text = '{"name": "search", "arguments": {"query": "mira"}}'
    assert parse(text, NATIVE, calls="json") == ToolCalls((MIRA,))
    assert parse(text, NATIVE, calls="hermes") == ParseFailure("a tool call does not begin with <tool_call>", text)


BARE = '{"name": "search", "arguments": {"query": "mira"}}'


@pytest.mark.parametrize(
    "text", [BARE, f"{BARE}</tool_call>", f"I look: {BARE}", "search\n<arg_key>query</arg_key>mira"]
)
@pytest.mark.parametrize(
    ("form", "mark"), [("hermes", "<tool_call>"), ("glm", "<tool_call>"), ("mistral", "[TOOL_CALLS]")]
)
def test_a_call_without_its_tags_is_no_answer(text: str, form: str, mark: str) -> None:
    assert parse(text, NATIVE, calls=form) == ParseFailure(f"a tool call does not begin with {mark}", text)


def test_an_answer_may_hold_json_and_a_call_in_plain_words() -> None:
    for text in ('{"name": "Mira"}', "I called search(mira).", '{"answer": {"arguments": 1}}'):
        assert parse(text, NATIVE, calls="hermes") == FinalAnswer(text)
