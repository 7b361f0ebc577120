"""Calls against JSON Schemas: what is made to fit, what is named; LangChain tools behind it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from langchain_core.tools import StructuredTool, ToolException, tool

from agents.arguments import coerce, find_fault
from agents.errors import ToolError
from agents.toolbox import Tool, ToolBox, ToolReply, from_langchain
from prompts.output import ToolCall
from store.errors import UsageError

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "query": {"type": "string", "minLength": 1},
        "n": {"type": "integer", "minimum": 1},
        "share": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        "sure": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "kind": {"enum": ["note", "page"]},
    },
    "required": ["query"],
}


@pytest.mark.parametrize(
    ("arguments", "fitted"),
    [
        ({"query": "3"}, {"query": "3"}),
        ({"query": 3}, {"query": "3"}),
        ({"n": "3"}, {"n": 3}),
        ({"n": " 3\n"}, {"n": 3}),
        ({"n": "three"}, {"n": "three"}),
        ({"share": "0.5"}, {"share": 0.5}),
        ({"share": "None"}, {"share": None}),
        ({"sure": "True"}, {"sure": True}),
        ({"tags": '["a", "b"]'}, {"tags": ["a", "b"]}),
        ({"kind": "note", "other": "5"}, {"kind": "note", "other": "5"}),
    ],
)
def test_text_is_read_as_what_the_schema_wants(arguments: dict[str, Any], fitted: dict[str, Any]) -> None:
    assert coerce(arguments, SCHEMA) == fitted


NESTED: dict[str, Any] = {
    "$defs": {"Span": {"type": "object", "properties": {"n": {"type": "integer"}, "unit": {"type": "string"}}}},
    "type": "object",
    "properties": {
        "span": {"$ref": "#/$defs/Span"},
        "maybe": {"anyOf": [{"$ref": "#/$defs/Span"}, {"type": "null"}]},
        "either": {"anyOf": [{"$ref": "#/$defs/Span"}, {"type": "object", "properties": {"n": {"type": "string"}}}]},
        "spans": {"type": "array", "items": {"$ref": "#/$defs/Span"}},
        "ns": {"type": "array", "items": {"type": "integer"}},
        "any": True,
    },
}


@pytest.mark.parametrize(
    ("arguments", "fitted"),
    [
        ({"span": {"n": "3", "unit": 4}}, {"span": {"n": 3, "unit": "4"}}),
        ({"span": '{"n": "3"}'}, {"span": {"n": 3}}),
        ({"maybe": {"n": "3"}}, {"maybe": {"n": 3}}),
        ({"either": {"n": "3"}}, {"either": {"n": "3"}}),
        ({"spans": [{"n": "3"}, {"n": "x"}]}, {"spans": [{"n": 3}, {"n": "x"}]}),
        ({"ns": ["1", 2]}, {"ns": [1, 2]}),
        ({"any": "1"}, {"any": "1"}),
    ],
)
def test_so_is_what_objects_and_lists_hold(arguments: dict[str, Any], fitted: dict[str, Any]) -> None:
    assert coerce(arguments, NESTED) == fitted


@pytest.mark.parametrize(
    ("parameter", "said"),
    [
        ({"type": "strng"}, "tool 'odd': its parameters are no JSON Schema: properties.x.type: 'strng' is not valid"),
        ({"$ref": "#/$defs/Nope"}, "tool 'odd': its parameters refer to '#/$defs/Nope', which is not in them"),
        ({"items": {"$ref": "http://127.0.0.1:1/x"}}, "tool 'odd': its parameters refer to 'http://127.0.0.1:1/x'"),
    ],
)
def test_a_faulty_schema_is_refused_when_tools_are_put_together(parameter: dict[str, Any], said: str) -> None:
    async def run(_: dict[str, Any]) -> ToolReply:
        return ToolReply()

    with pytest.raises(UsageError, match=re.escape(said)):
        ToolBox([Tool("odd", "", {"type": "object", "properties": {"x": parameter}}, run)])


def test_a_langchain_tool_that_refers_to_nothing_is_named() -> None:
    schema = {"title": "odd", "description": "d", "type": "object", "properties": {"x": {"$ref": "#/$defs/Nope"}}}
    with pytest.raises(
        UsageError, match=re.escape("tool 'odd': its parameters are no JSON Schema: Reference '#/$defs")
    ):
        from_langchain(StructuredTool(name="odd", description="d", args_schema=schema, func=str))


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({"query": "x", "n": 2, "tags": ["a"]}, None),
        ({}, "the argument 'query' is missing; 'find' takes: query, n, share, sure, tags, kind"),
        (
            {"qery": "x"},
            "unknown argument 'qery'; 'find' takes: query, n, share, sure, tags, kind; did you mean 'query'?",
        ),
        ({"query": ""}, "argument 'query': '' should be non-empty"),
        ({"query": "x", "n": "three"}, "argument 'n': 'three' is not of type 'integer'"),
        ({"query": "x", "n": 0}, "argument 'n': 0 is less than the minimum of 1"),
        ({"query": "x", "tags": ["a", 1]}, "argument 'tags.1': 1 is not of type 'string'"),
        ({"query": "x", "kind": "web"}, "argument 'kind': 'web' is not one of ['note', 'page']"),
    ],
)
def test_the_fault_is_named(arguments: dict[str, Any], fault: str | None) -> None:
    assert find_fault("find", arguments, SCHEMA) == fault


@tool
async def add(a: int, b: int = 1) -> str:
    """Add two numbers."""
    return str(a + b)


@tool
def fail(how: str) -> str:
    """Fail in a way of your choice."""
    if how == "politely":
        raise ToolException("no such page")
    raise OSError("disk gone")


BOX = ToolBox([from_langchain(add), from_langchain(fail)])


async def test_langchain_tools_run_with_fitted_arguments() -> None:
    call = BOX.check(ToolCall("add", {"a": "2"}))
    assert call == ToolCall("add", {"a": 2}) and (await BOX.run(call)).text == "3"
    assert BOX.schemas[0]["function"]["name"] == "add" and "a" in BOX.schemas[0]["function"]["parameters"]["properties"]


async def test_a_complaint_is_a_reply_and_a_breakdown_ends_the_rollout() -> None:
    assert (await BOX.run(ToolCall("fail", {"how": "politely"}))).error == "no such page"
    with pytest.raises(ToolError, match="tool fail: OSError: disk gone"):
        await BOX.run(ToolCall("fail", {"how": "badly"}))


def test_unknown_tools_and_broken_calls_keep_their_problem() -> None:
    assert BOX.check(ToolCall("ad", {})).problem == "there is no tool 'ad'; there are: add, fail; did you mean 'add'?"
    assert BOX.check(ToolCall("", {}, "no JSON")).problem == "no JSON"
    assert ToolBox().check(ToolCall("x", {})).problem == "there is no tool 'x'; there are: none"
    with pytest.raises(UsageError, match="two tools are named 'add'"):
        ToolBox([from_langchain(add), from_langchain(add)])


async def test_blocks_of_content_become_text() -> None:
    def blocks() -> Any:
        """Text and a picture."""
        return [{"type": "text", "text": "a"}, {"type": "image", "data": "AA=="}]

    made = from_langchain(StructuredTool.from_function(func=blocks))
    assert (await made.run({})).text == "a\n(image, which is not shown)"
