"""`<search>words</search>`: every one of them is a search, beside any answer parser. The parser `tags` reads it too."""

from __future__ import annotations

import re

from prompts.output import ToolCall
from prompts.tool_calls.base import CallFormat, Located, broken

_SEARCH = re.compile(r"<search>(.*?)(?:</search>|(?=<search>)|\Z)", re.DOTALL | re.IGNORECASE)


def find(text: str) -> list[Located]:
    return [Located(match.start(), match.end(), _call(match)) for match in _SEARCH.finditer(text)]


def _call(match: re.Match[str]) -> ToolCall:
    query = match[1].strip()
    return ToolCall("search", {"query": query}, text=match[0]) if query else broken("<search> is empty", match[0])


SEARCH_TAGS = CallFormat(
    "tags",
    find,
    "To search, write a query; several in one turn are run side by side:\n<search>the query</search>",
)
