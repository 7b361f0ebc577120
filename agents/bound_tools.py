"""Tools bound to the policy as a chat model: how it learns of them, and the calls read from what it wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from langchain_core.messages import InvalidToolCall, ToolCall
from langchain_core.messages.tool import invalid_tool_call, tool_call

from agents.arguments import coerce
from agents.chat_template import ChatTemplate, Message
from prompts import load_prompt
from prompts.output import CallFormatName
from prompts.output import ToolCall as Written
from prompts.tool_calls import FORMATS, find_calls

Form = CallFormatName | Literal["auto"]
SEARCH_TAG = "search"  # what a <search> tag calls; the search tool for LangChain has another name
SEARCH_TOOL = "vector_search"
# Where a call of each format may begin.
_MARKS: dict[str, tuple[str, ...]] = {
    "tags": ("<search>",),
    "hermes": ("<tool_call>",),
    "glm": ("<tool_call>",),
    "qwen_xml": ("<tool_call>", "<function="),
    "llama": ("<|python_tag|>", "<function=", "{"),
    "mistral": ("[TOOL_CALLS]",),
    "json": ("```", "{", "["),
}
_REASONING = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL)

_GAP = "\0"  # where a call was cut out
_FENCED = re.compile(rf"```\w*\s*(?:{_GAP}\s*)+```")


@dataclass(frozen=True)
class ReadTurn:
    """`content`: the turn without its calls."""

    content: str
    calls: list[ToolCall]
    invalid: list[InvalidToolCall]


@dataclass(frozen=True)
class BoundTools:
    """`schemas`: tools in OpenAI's shape; `form`: how calls are written, `auto`: as the chat template shows it."""

    schemas: tuple[Mapping[str, Any], ...]
    template: ChatTemplate
    form: Form = "auto"

    @property
    def marks(self) -> tuple[str, ...]:
        """Texts that a call may begin with; none without tools."""
        if not self.schemas:
            return ()
        form = self._form
        return tuple(dict.fromkeys(m for marks in _MARKS.values() for m in marks)) if form == "auto" else _MARKS[form]

    @property
    def listed(self) -> tuple[Mapping[str, Any], ...]:
        """What the chat template is to list; empty where it can't."""
        return self.schemas if self.schemas and self.template.lists(self.schemas) else ()

    def announce(self, opening: Sequence[Message]) -> list[Message]:
        """The opening with the tools in words before it, where the chat template does not list them."""
        if not self.schemas or self.listed:
            return list(opening)
        first, *rest = opening
        return [first._replace(content=f"{self._words()}\n\n{first.content}"), *rest]

    def read(self, text: str, *, call_id: str) -> ReadTurn:
        """The calls of a turn, none of those in its reasoning; `call_id` begins the id of each."""
        located = find_calls(self._form, self._without_reasoning(text)) if self.schemas else []
        if not located:
            return ReadTurn(text, [], [])
        turn = ReadTurn(_around(text, [(one.start, one.end) for one in located]), [], [])
        for index, one in enumerate(located):
            self._add(turn, one.call, f"{call_id}_{index}")
        return turn

    def _add(self, turn: ReadTurn, call: Written, call_id: str) -> None:
        name = self._named(call.name)
        if call.problem is not None:
            turn.invalid.append(invalid_tool_call(name=name or None, args=call.text, id=call_id, error=call.problem))
            return
        arguments = coerce(call.arguments, self._parameters(name))
        turn.calls.append(tool_call(name=name, args=arguments, id=call_id))

    def _named(self, name: str) -> str:
        names = {schema["function"]["name"] for schema in self.schemas}
        return SEARCH_TOOL if name == SEARCH_TAG and name not in names and SEARCH_TOOL in names else name

    def _parameters(self, name: str) -> Mapping[str, Any]:
        found = (s["function"] for s in self.schemas if s["function"]["name"] == name)
        return next(found, {}).get("parameters") or {}

    def _words(self) -> str:
        tools = [
            {
                "name": schema["function"]["name"],
                "description": schema["function"].get("description", ""),
                "parameters": json.dumps(self._parameters(schema["function"]["name"])),
            }
            for schema in self.schemas
        ]
        form: CallFormatName = "json" if self._form == "auto" else self._form
        return load_prompt("bound_tools").render(tools=tools, tool_format=FORMATS[form].instructions).strip()

    @property
    def _form(self) -> Form:
        return (self.template.call_format or "auto") if self.form == "auto" else self.form

    def _without_reasoning(self, text: str) -> str:
        """As long as `text`, its reasoning blanked; the chat template may have opened the first block."""
        opened = self.template.opened_reasoning
        return _REASONING.sub(lambda block: " " * len(block[0]), opened + text)[len(opened) :]


def _around(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """`text` without `spans`, the fences around them, and the whitespace before the first and after the last."""
    kept, last = [], 0
    for start, end in spans:
        if start >= last:  # calls of one array share its span
            kept += [text[last:start], _GAP]
        last = max(last, end)
    before, _, after = _FENCED.sub(_GAP, "".join([*kept, text[last:]])).partition(_GAP)
    return (before.rstrip() + after.replace(_GAP, "")).rstrip()
