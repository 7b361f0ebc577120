"""`<tool_call>NAME\\n<arg_key>key</arg_key>\\n<arg_value>value</arg_value></tool_call>`: GLM-4.5 and later.

Values are plain text; the tool's schema decides later what they are.
"""

from __future__ import annotations

import re

from prompts.output import ToolCall
from prompts.tool_calls.base import CallFormat, Located, broken
from prompts.tool_calls.hermes import BLOCK

_PAIR = re.compile(
    r"<arg_key>(.*?)</arg_key>\s*<arg_value>(.*?)(?:</arg_value>|(?=<arg_key>)|\Z)",
    re.DOTALL,
)


def find(text: str) -> list[Located]:
    return [Located(match.start(), match.end(), _call(match)) for match in BLOCK.finditer(text)]


def _call(match: re.Match[str]) -> ToolCall:
    name = match[1].split("<arg_key>")[0].strip()
    if not name or "\n" in name or name.startswith(("{", "<")):
        return broken("<tool_call> does not begin with the name of a tool on a line of its own", match[0])
    pairs = _PAIR.findall(match[1])
    if len(pairs) < match[1].count("<arg_key>"):
        return broken("an <arg_key> has no <arg_value>", match[0], name=name)
    return ToolCall(name, {key.strip(): value for key, value in pairs}, text=match[0])


GLM = CallFormat(
    "glm",
    find,
    "To call a tool, write:\n<tool_call>the tool\n<arg_key>the argument</arg_key>\n<arg_value>its value</arg_value>\n"
    "</tool_call>",
    marks=("<tool_call>", "<arg_key>"),
)
