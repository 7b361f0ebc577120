"""A JSON object with the tool's name and its arguments, fenced or not; an array of them; OpenAI's `tool_calls`."""

from __future__ import annotations

from prompts.lenient_json import json_values
from prompts.tool_calls.base import CallFormat, Located, call_of, flat, looks_like_call


def find(text: str) -> list[Located]:
    return [
        Located(start, end, call_of(one, text[start:end]))
        for start, end, value in json_values(text)
        for one in flat(value)
        if looks_like_call(one)
    ]


PLAIN_JSON = CallFormat(
    "json",
    find,
    'To call a tool, write one JSON object:\n{"name": "the tool", "arguments": {"key": "value"}}',
)
