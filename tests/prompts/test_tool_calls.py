"""Tool calls as models write them, format by format, and what is said about broken ones."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts.output import FinalAnswer, OutputSpec, ParseFailure, ToolCall, ToolCalls
from prompts.parsers import parse
from prompts.tool_calls import FORMATS, detect_format, find_calls

MIRA = ToolCall("search", {"query": "mira"})
BRAM = ToolCall("search", {"query": "bram"})
BOTH = [MIRA, BRAM]

GOOD: list[tuple[str, str, list[ToolCall]]] = [
    ("hermes", '<tool_call>\n{"name": "search", "arguments": {"query": "mira"}}\n</tool_call>', [MIRA]),
    ("hermes", 'I look. <tool_call>{"name": "search", "arguments": {"query": "mira"}}</tool_call> Then more.', [MIRA]),
    ("hermes", '<tool_call>{"name": "search", "arguments": {"query": "mira"}}', [MIRA]),
    ("hermes", '<tool_call>{"name": "search", "arguments": {"query": "mira', [MIRA]),
    ("hermes", '<tool_call>{"name": "search", "arguments": {"query": "mira",},}</tool_call>', [MIRA]),
    ("hermes", '<tool_call>```json\n{"name": "search", "arguments": {"query": "mira"}}\n```</tool_call>', [MIRA]),
    ("hermes", '<tool_call>{"name": "search", "arguments": "{\\"query\\": \\"mira\\"}"}</tool_call>', [MIRA]),
    ("hermes", '<tool_call>{"name": "search", "parameters": {"query": "mira"}}</tool_call>', [MIRA]),
    ("hermes", "<tool_call>{“name”: “search”, “arguments”: {“query”: “mira”}}</tool_call>", [MIRA]),
    ("hermes", "<tool_call>{'name': 'search', 'arguments': {'query': 'mira'}}</tool_call>", [MIRA]),
    ("hermes", '<tool_call>{"name": "now"}</tool_call>', [ToolCall("now", {})]),
    ("hermes", '<tool_call>{"name": "now", "arguments": ""}</tool_call>', [ToolCall("now", {})]),
    (
        "hermes",
        '<tool_call>{"name": "search", "arguments": {"query": "mira"}}</tool_call>\n'
        '<tool_call>{"name": "search", "arguments": {"query": "bram"}}</tool_call>',
        BOTH,
    ),
    (
        "hermes",
        '<tool_call>{"name": "search", "arguments": {"query": "mira"}}'
        '<tool_call>{"name": "search", "arguments": {"query": "bram"}}',
        BOTH,
    ),
    (
        "hermes",
        '<tool_call>\n{"name": "search", "arguments": {"query": "mira"}}\n'
        '{"name": "search", "arguments": {"query": "bram"}}\n</tool_call>',
        BOTH,
    ),
    (
        "hermes",
        '<tool_call>[{"name": "search", "arguments": {"query": "mira"}}, '
        '{"name": "search", "arguments": {"query": "bram"}}]</tool_call>',
        BOTH,
    ),
    (
        "hermes",
        '<tool_call>{"name": "note", "arguments": {"text": "a } and a \\"{\\" stay", "deep": {"list": [1, {"x": 2}]}}}'
        "</tool_call>",
        [ToolCall("note", {"text": 'a } and a "{" stay', "deep": {"list": [1, {"x": 2}]}})],
    ),
    (
        "qwen_xml",
        "<tool_call>\n<function=search>\n<parameter=query>\nmira\n</parameter>\n</function>\n</tool_call>",
        [MIRA],
    ),
    ("qwen_xml", "<function=search><parameter=query>mira</parameter></function>", [MIRA]),
    ("qwen_xml", "<tool_call><function=search><parameter=query>\nmira", [MIRA]),
    (
        "qwen_xml",
        "<tool_call><function=note>\n<parameter=text>\ntwo\nlines <b>\n\n</parameter>\n<parameter=n>\n3\n</parameter>",
        [ToolCall("note", {"text": "two\nlines <b>\n", "n": "3"})],
    ),
    (
        "qwen_xml",
        "<tool_call><function=search><parameter=query>mira</parameter></function></tool_call>"
        "<tool_call><function=search><parameter=query>bram</parameter></function></tool_call>",
        BOTH,
    ),
    (
        "qwen_xml",
        "<tool_call><function=search><parameter=query>mira</function></tool_call><function=now></function>",
        [MIRA, ToolCall("now", {})],
    ),
    ("glm", "<tool_call>search\n<arg_key>query</arg_key>\n<arg_value>mira</arg_value>\n</tool_call>", [MIRA]),
    ("glm", "<tool_call>search<arg_key>query</arg_key><arg_value>mira</arg_value></tool_call>", [MIRA]),
    ("glm", "<tool_call>search\n<arg_key>query</arg_key>\n<arg_value>mira", [MIRA]),
    ("glm", "<tool_call>now</tool_call>", [ToolCall("now", {})]),
    (
        "glm",
        "so:\n<tool_call>note\n<arg_key>text</arg_key>\n<arg_value>a\nb</arg_value>\n<arg_key>n</arg_key>\n"
        "<arg_value>3</arg_value>\n</tool_call>\n<tool_call>now\n</tool_call>",
        [ToolCall("note", {"text": "a\nb", "n": "3"}), ToolCall("now", {})],
    ),
    ("llama", '<|python_tag|>{"name": "search", "parameters": {"query": "mira"}}', [MIRA]),
    ("llama", '{"name": "search", "parameters": {"query": "mira"}}', [MIRA]),
    ("llama", 'I will call: {"name": "search", "parameters": {"query": "mira"}}.', [MIRA]),
    (
        "llama",
        '<|python_tag|>{"name": "search", "parameters": {"query": "mira"}}; '
        '{"name": "search", "parameters": {"query": "bram"}}',
        BOTH,
    ),
    (
        "llama",
        '<|python_tag|>[{"name": "search", "parameters": {"query": "mira"}}, '
        '{"name": "search", "parameters": {"query": "bram"}}]',
        BOTH,
    ),
    ("llama", '<|python_tag|>search.call(query="mira")', [MIRA]),
    ("llama", '<function=search>{"query": "mira"}</function>', [MIRA]),
    ("mistral", '[TOOL_CALLS][{"name": "search", "arguments": {"query": "mira"}}]', [MIRA]),
    (
        "mistral",
        '[TOOL_CALLS] [{"name": "search", "arguments": {"query": "mira"}, "id": "abc"}, '
        '{"name": "search", "arguments": {"query": "bram"}}]\n\nand so on',
        BOTH,
    ),
    ("mistral", '[TOOL_CALLS]search[ARGS]{"query": "mira"}[TOOL_CALLS]search[ARGS]{"query": "bram"}', BOTH),
    ("mistral", '[TOOL_CALLS]search{"query": "mira"}', [MIRA]),
    ("mistral", '[TOOL_CALLS]search[CALL_ID]abcdefghi[ARGS]{"query": "mira"}', [MIRA]),
    ("mistral", '[TOOL_CALLS][{"name": "search", "arguments": {"query": "mira"', [MIRA]),
    ("json", '{"name": "search", "arguments": {"query": "mira"}}', [MIRA]),
    ("json", 'Let me see {really}.\n```json\n{"tool": "search", "args": {"query": "mira"},}\n```\nDone.', [MIRA]),
    ("json", '[{"name": "search", "input": {"query": "mira"}}, {"name": "search", "input": {"query": "bram"}}]', BOTH),
    (
        "json",
        '{"tool_calls": [{"id": "1", "type": "function", "function": {"name": "search", "arguments": '
        '"{\\"query\\": \\"mira\\"}"}}]}',
        [MIRA],
    ),
    ("json", 'as [1] says {"a": 1} and {"name": "Mira"}', []),
    ("tags", "<search>mira</search> and <search> bram </search>", BOTH),
    ("tags", "<search>mira<search>bram", BOTH),
]

BROKEN: list[tuple[str, str, str, str]] = [
    ("hermes", "<tool_call></tool_call>", "", "there is no JSON object inside <tool_call>"),
    ("hermes", "<tool_call>search mira</tool_call>", "", "there is no JSON object inside <tool_call>"),
    ("hermes", '<tool_call>{"arguments": {"query": "mira"}}</tool_call>', "", 'the call has no "name"'),
    (
        "hermes",
        '<tool_call>{"name": "search", "arguments": [1]}</tool_call>',
        "search",
        '"arguments" is no JSON object',
    ),
    ("hermes", '<tool_call>{"name": "search", "arguments": "mira"}</tool_call>', "search", "is no JSON object"),
    ("qwen_xml", '<tool_call>{"name": "search"}</tool_call>', "", "there is no <function=NAME>"),
    ("qwen_xml", "<tool_call><function=></function></tool_call>", "", "<function=> names no tool"),
    ("glm", '<tool_call>{"name": "search"}</tool_call>', "", "does not begin with the name of a tool"),
    ("glm", "<tool_call>search\n<arg_key>query</arg_key></tool_call>", "search", "an <arg_key> has no <arg_value>"),
    ("llama", "<|python_tag|>print(1)", "", "no JSON object stands after <|python_tag|>"),
    ("llama", '<|python_tag|>search.call("mira")', "search", "not of the form search.call(key=value)"),
    ("llama", "<|python_tag|>search.call(query=open('x'))", "search", "not of the form search.call(key=value)"),
    ("llama", "<function=search>mira</function>", "search", "there is no JSON object inside <function=...>"),
    ("mistral", "[TOOL_CALLS] hello there", "", "no JSON stands after [TOOL_CALLS]"),
    ("tags", "<search> </search>", "", "<search> is empty"),
]


@pytest.mark.parametrize(("form", "text", "calls"), GOOD)
def test_calls_of_every_format(form: str, text: str, calls: list[ToolCall]) -> None:
    assert [located.call for located in find_calls(form, text)] == calls


@pytest.mark.parametrize(("form", "text", "calls"), GOOD)
def test_auto_sees_the_format_in_the_text(form: str, text: str, calls: list[ToolCall]) -> None:
    assert [located.call for located in find_calls("auto", text)] == calls


@pytest.mark.parametrize(("form", "text", "name", "problem"), BROKEN)
def test_broken_calls_are_found_with_their_problem(form: str, text: str, name: str, problem: str) -> None:
    (located,) = find_calls(form, text)
    assert located.call.name == name and located.call.problem is not None and problem in located.call.problem
    assert located.call.text and located.call.text in text


NATIVE = OutputSpec.model_validate({"parser": "tags", "actions": ["answer"], "calls": "hermes"})
CALL = '<tool_call>{"name": "search", "arguments": {"query": "mira"}}</tool_call>'


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        (CALL, ToolCalls((MIRA,))),
        (f"<think>maybe {CALL}</think>no<answer>oslo</answer>", FinalAnswer("oslo", "no")),
        (f"<answer>oslo</answer> no, first {CALL}", ToolCalls((MIRA,))),
        (f"{CALL} <answer>oslo</answer>", FinalAnswer("oslo")),
        (
            '<tool_call>{"name": "note", "arguments": {"text": "<answer>no</answer>"}}</tool_call>',
            ToolCalls((ToolCall("note", {"text": "<answer>no</answer>"}),)),
        ),
        (f"<think>never closed {CALL}", ToolCalls((MIRA,))),
        (f"thought that the template opened</think>{CALL}", ToolCalls((MIRA,))),
        ("nothing", ParseFailure("no tool call or <answer> with text in it was found in the turn", "nothing")),
    ],
)
def test_calls_beside_answers_the_last_counts(text: str, parsed: Any) -> None:
    assert parse(text, NATIVE) == parsed


def test_templates_are_recognised_by_what_they_write() -> None:
    assert detect_format("<tool_call>\\n<function=' + name + '>\\n<parameter=") == "qwen_xml"
    assert detect_format("<tool_call>{{ name }}\n<arg_key>{{ k }}</arg_key>") == "glm"
    assert detect_format('<tool_call>\\n{"name": ') == "hermes"
    assert detect_format("[TOOL_CALLS]") == "mistral"
    assert detect_format("<|python_tag|>") == "llama"
    assert detect_format("{{ m.content }}") is None


PIECES = [
    *'{}[]":,\\ \na1',
    '"name"',
    '"arguments"',
    '{"name": "search", "arguments": {',
    "<tool_call>",
    "</tool_call>",
    "<function=",
    "<parameter=q>",
    "<arg_key>",
    "</arg_key>",
    "<arg_value>",
    "<|python_tag|>",
    "[TOOL_CALLS]",
    "[ARGS]",
    "x.call(",
    "<think>",
    "</think>",
    "Exact Answer: ",
    "**",
]


@given(st.lists(st.sampled_from(PIECES), max_size=16).map("".join))
def test_no_text_whatever_raises(text: str) -> None:
    for form in [*FORMATS, "auto"]:
        for located in find_calls(form, text):
            assert 0 <= located.start < located.end <= len(text)
    for parser in ("tags", "json", "blocks", "tool_calls"):
        actions = ["search", "answer", "summary", "candidates"]
        spec = OutputSpec.model_validate({"parser": parser, "actions": actions, "calls": "auto"})
        assert parse(text, spec) is not None


def test_a_turn_full_of_braces_is_read_in_no_time() -> None:
    began = time.process_time()  # of this process alone: a busy machine is no slow parser
    for text in ("{" * 20_000, "[{" * 10_000, '{"a": ' * 5_000, "{x} " * 5_000, '{"a' + "the note, said " * 1_000):
        find_calls("json", text)
    assert time.process_time() - began < 5
