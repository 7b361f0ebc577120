"""Llama 3: `<|python_tag|>{"name": ..., "parameters": {...}}`, the object alone, or one of its older spellings.

Several calls are separated by semicolons. Built-in tools are written `<|python_tag|>name.call(query="...")`,
and Llama 3.1 also knows `<function=name>{...}</function>`.
"""

from __future__ import annotations

import ast
import re

from prompts.lenient_json import json_values, read_object
from prompts.output import ToolCall
from prompts.tool_calls.base import CallFormat, Located, broken, call_of, flat, looks_like_call

TAG = "<|python_tag|>"
_FUNCTION = re.compile(r"<function=([\w.-]+)>(.*?)(?:</function>|\Z)", re.DOTALL)
_BUILT_IN = re.compile(r"\s*([\w-]+)\.call\(")


def find(text: str) -> list[Located]:
    at = text.find(TAG)
    if at >= 0:
        return _tagged(text, at)
    functions = [Located(match.start(), match.end(), _function(match)) for match in _FUNCTION.finditer(text)]
    return functions or [
        Located(start, end, call_of(one, text[start:end]))
        for start, end, value in json_values(text)
        for one in flat(value)
        if looks_like_call(one)
    ]


def _tagged(text: str, at: int) -> list[Located]:
    if match := _BUILT_IN.match(text, at + len(TAG)):
        return [Located(at, len(text), _built_in(match[1], text[match.start() :].strip()))]
    found = [
        Located(start, end, call_of(one, text[start:end]))
        for start, end, value in json_values(text)
        if start > at
        for one in flat(value)
    ]
    return found or [Located(at, len(text), broken(f"no JSON object stands after {TAG}", text[at:]))]


def _function(match: re.Match[str]) -> ToolCall:
    arguments = read_object(match[2]) if match[2].strip() else {}
    if arguments is None:
        return broken("there is no JSON object inside <function=...>", match[0], name=match[1])
    return ToolCall(match[1], arguments, text=match[0])


def _built_in(name: str, text: str) -> ToolCall:
    """`name.call(key="value", ...)`, read as a literal: nothing is executed."""
    try:
        tree = ast.parse(text.rstrip("; \n"), mode="eval").body
        keywords = tree.keywords if isinstance(tree, ast.Call) and not tree.args else None
        arguments = {str(word.arg): ast.literal_eval(word.value) for word in keywords or ()}
    except (SyntaxError, ValueError):
        keywords = None
        arguments = {}
    if keywords is None:
        return broken(f"the call is not of the form {name}.call(key=value)", text, name=name)
    return ToolCall(name, arguments, text=text)


LLAMA = CallFormat(
    "llama",
    find,
    'To call a tool, write nothing but one JSON object:\n{"name": "the tool", "parameters": {"key": "value"}}',
    marks=("<|python_tag|>",),
)
