"""`[TOOL_CALLS][{"name": ..., "arguments": {...}}]` (Mistral up to 2024) and `[TOOL_CALLS]name[ARGS]{...}` (later)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from prompts.lenient_json import json_values, read_object
from prompts.output import ToolCall
from prompts.tool_calls.base import CallFormat, Located, broken, call_of, flat

_PART = re.compile(r"\[TOOL_CALLS\](.*?)(?=\[TOOL_CALLS\]|\Z)", re.DOTALL)
_NAMED = re.compile(r"\s*([\w.-]+)\s*(?:\[CALL_ID\]\s*[\w-]*\s*)?(?:\[ARGS\])?\s*(?=\{|\Z)")


def find(text: str) -> list[Located]:
    return [located for match in _PART.finditer(text) for located in _calls(match)]


def _calls(match: re.Match[str]) -> Iterator[Located]:
    named = _NAMED.match(match[1])
    if named and named[1]:
        yield Located(match.start(), match.end(), _named(named[1], match[1][named.end() :], match[0]))
        return
    objects = [o for found in json_values(match[1]) for o in flat(found.value)]
    for value in objects:
        yield Located(match.start(), match.end(), call_of(value, match[0]))
    if not objects:
        yield Located(match.start(), match.end(), broken("no JSON stands after [TOOL_CALLS]", match[0]))


def _named(name: str, rest: str, text: str) -> ToolCall:
    arguments = read_object(rest) if rest.strip() else {}
    if arguments is None:
        return broken("[ARGS] is not followed by a JSON object", text, name=name)
    return ToolCall(name, arguments, text=text)


MISTRAL = CallFormat(
    "mistral",
    find,
    'To call tools, write:\n[TOOL_CALLS][{"name": "the tool", "arguments": {"key": "value"}}]',
    marks=("[TOOL_CALLS]",),
)
