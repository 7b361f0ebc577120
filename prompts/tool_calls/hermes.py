"""`<tool_call>{"name": ..., "arguments": {...}}</tool_call>`: Hermes, Qwen2.5, Qwen3."""

from __future__ import annotations

import re

from prompts.lenient_json import read_object
from prompts.tool_calls.base import CallFormat, Located, broken, call_of

# An unclosed block ends where the next one begins.
BLOCK = re.compile(r"<tool_call>(.*?)(?:</tool_call>|(?=<tool_call>)|\Z)", re.DOTALL)


def find(text: str) -> list[Located]:
    return [_located(match) for match in BLOCK.finditer(text)]


def _located(match: re.Match[str]) -> Located:
    value = read_object(match[1])
    call = call_of(value, match[0]) if value else broken("there is no JSON object inside <tool_call>", match[0])
    return Located(match.start(), match.end(), call)


HERMES = CallFormat(
    "hermes",
    find,
    "To call a tool, write one JSON object inside tags:\n<tool_call>\n"
    '{"name": "the tool", "arguments": {"key": "value"}}\n</tool_call>',
    marks=("<tool_call>",),
)
