"""`<tool_call><function=NAME><parameter=KEY>value</parameter></function></tool_call>`: Qwen3-Coder, Qwen3.5.

Values are plain text; the tool's schema decides later what they are. The outer tag is often left out.
"""

from __future__ import annotations

import re

from prompts.output import ToolCall
from prompts.tool_calls.base import CallFormat, Located, broken

_FUNCTION = re.compile(
    r"(?:<tool_call>\s*)?<function=([^>\n]*)>(.*?)"
    r"(?:</function>(?:\s*</tool_call>)?|(?=</tool_call>|<tool_call>|<function=)|\Z)",
    re.DOTALL,
)
_EMPTY = re.compile(r"<tool_call>(?!\s*<function=)(.*?)(?:</tool_call>|(?=<tool_call>)|\Z)", re.DOTALL)
_PARAMETER = re.compile(
    r"<parameter=([^>\n]*)>(.*?)(?:</parameter>|(?=<parameter=)|\Z)",
    re.DOTALL,
)


def find(text: str) -> list[Located]:
    functions = [Located(match.start(), match.end(), _call(match)) for match in _FUNCTION.finditer(text)]
    wrong = [
        Located(match.start(), match.end(), broken("there is no <function=NAME> inside <tool_call>", match[0]))
        for match in _EMPTY.finditer(text)
    ]
    return sorted([*functions, *wrong], key=lambda located: located.start)


def _call(match: re.Match[str]) -> ToolCall:
    name = match[1].strip().strip("\"'")
    if not name:
        return broken("<function=> names no tool", match[0])
    arguments = {key.strip().strip("\"'"): _value(value) for key, value in _PARAMETER.findall(match[2])}
    return ToolCall(name, arguments, text=match[0])


def _value(text: str) -> str:
    """Less the line breaks next to the tags; those inside belong to the value."""
    return text.removeprefix("\n").removesuffix("\n")


QWEN_XML = CallFormat(
    "qwen_xml",
    find,
    "To call a tool, write:\n<tool_call>\n<function=the tool>\n<parameter=the argument>\nits value\n</parameter>\n"
    "</function>\n</tool_call>",
    marks=("<function=", "<parameter="),
)
