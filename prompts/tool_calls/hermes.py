"""`<tool_call>{"name": ..., "arguments": {...}}</tool_call>`: Hermes, Qwen2.5, Qwen3.

One call a block; several in one, one after the other or in an array, are all read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from prompts.lenient_json import json_values
from prompts.output import ToolCall
from prompts.tool_calls.base import CallFormat, Located, broken, call_of, flat

# An unclosed block ends where the next one begins.
BLOCK = re.compile(r"<tool_call>(.*?)(?:</tool_call>|(?=<tool_call>)|\Z)", re.DOTALL)


def find(text: str) -> list[Located]:
    return [Located(match.start(), match.end(), call) for match in BLOCK.finditer(text) for call in _calls(match)]


def _calls(match: re.Match[str]) -> Iterator[ToolCall]:
    values = [value for found in json_values(match[1]) for value in flat(found.value) if value]
    if not values:
        yield broken("there is no JSON object inside <tool_call>", match[0])
    for value in values:
        yield call_of(value, match[0])


HERMES = CallFormat(
    "hermes",
    find,
    "To call a tool, write one JSON object inside tags:\n<tool_call>\n"
    '{"name": "the tool", "arguments": {"key": "value"}}\n</tool_call>',
    marks=("<tool_call>",),
)
