"""Tool calls in the formats that models are trained on. Text of a turn -> the calls in it, broken ones included.

`find_calls("hermes", text)` reads one format, `find_calls("auto", text)` whichever the text is written in;
`detect_format(source)` says which one a chat template writes.
"""

from __future__ import annotations

import re

from prompts.output import CallFormatName
from prompts.tool_calls.base import CallFormat, Located
from prompts.tool_calls.glm import GLM
from prompts.tool_calls.hermes import HERMES
from prompts.tool_calls.llama import LLAMA, TAG
from prompts.tool_calls.mistral import MISTRAL
from prompts.tool_calls.plain_json import PLAIN_JSON
from prompts.tool_calls.qwen_xml import QWEN_XML
from prompts.tool_calls.search_tags import SEARCH_TAGS

# The more particular first: templates are recognised in this order.
FORMATS: dict[CallFormatName, CallFormat] = {
    form.name: form for form in (QWEN_XML, GLM, HERMES, MISTRAL, LLAMA, PLAIN_JSON, SEARCH_TAGS)
}

_MARKS = re.compile(r"</?tool_call>|</?arg_(?:key|value)>|</?(?:function|parameter)\b[^<>\n]*>|\[(?:TOOL_CALLS|ARGS)\]")


def find_calls(name: CallFormatName | str, text: str) -> list[Located]:
    """Every call in `text`, in order; `auto`: in the format that the text itself shows. Raises: KeyError."""
    form = _shown(text) if name == "auto" else FORMATS[name]  # type: ignore[index]
    return form.find(text)


def astray(text: str) -> bool:
    """Whether a call stands in `text`, where its own format found none: without its tags, or in another format's."""
    return bool(_MARKS.search(text) or PLAIN_JSON.find(text))


def detect_format(source: str) -> CallFormatName | None:
    """The format that a chat template's source writes; None when it writes no calls."""
    return next((form.name for form in FORMATS.values() if form.marks and all(m in source for m in form.marks)), None)


def _shown(text: str) -> CallFormat:
    if "<tool_call>" in text:
        return QWEN_XML if "<function=" in text else HERMES if "{" in text and "<arg_key>" not in text else GLM
    if "[TOOL_CALLS]" in text:
        return MISTRAL
    if TAG in text or "<function=" in text:
        return QWEN_XML if "<parameter=" in text else LLAMA
    return SEARCH_TAGS if "<search>" in text else PLAIN_JSON


__all__ = ["FORMATS", "CallFormat", "CallFormatName", "Located", "astray", "detect_format", "find_calls"]
