"""How the policy of one graph calls tools: its tool box, the format of its calls, how it learns of the tools."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from langchain_core.tools import BaseTool

from agents.dialogue import CallStyle
from agents.toolbox import ToolBox
from agents.tools import SearchTool
from graphs.schema import GraphSpec
from graphs.toolbox import build_toolbox
from prompts import Prompt
from prompts.output import CallFormatName, Parsed, ParseFailure, ToolCall, ToolCalls
from prompts.tool_calls import FORMATS
from store.errors import UsageError

_UNKNOWN_FORMAT: CallFormatName = "json"  # what any model can write when its chat template shows no format


@dataclass(frozen=True)
class Calling:
    """Built once per graph and policy. `announced`: what the chat template is to list.

    `variables`, for an opening prompt: `tools`, objects with name, description and parameters (JSON Schema as text),
    and `tool_format`, a sentence that says how a call is written.
    """

    toolbox: ToolBox
    form: CallFormatName | Literal["auto"]
    announced: tuple[dict[str, Any], ...]
    variables: dict[str, Any]
    thinking: str = ""
    most: int = 8

    def read(self, prompt: Prompt, text: str, *, native: tuple[ToolCall, ...] = ()) -> Parsed | ParseFailure:
        """What a turn asks for; each of its calls checked. `native`: see `Dialogue.native_calls`."""
        said = text.removesuffix("\n".join(call.text for call in native))
        # The template may have opened the reasoning block that the turn closes, or was cut off in.
        parsed = prompt.parse(self.thinking + said, calls=self.form)
        if native:
            # An endpoint wants the replies to its own calls first, right behind the turn.
            parsed = ToolCalls(native + (parsed.calls if isinstance(parsed, ToolCalls) else ()))
        match parsed:
            case ToolCalls(calls):
                return ToolCalls(tuple(map(self.toolbox.check, calls[: self.most])) + self._too_many(calls))
            case ParseFailure():
                return replace(parsed, text=text)
            case _:
                return parsed

    def _too_many(self, calls: Sequence[Any]) -> tuple[Any, ...]:
        problem = f"a turn may hold {self.most} calls; this one was not carried out"
        return tuple(replace(call, problem=problem) for call in calls[self.most :])


def make_calling(
    spec: GraphSpec, *, template: CallStyle | None, search: SearchTool | None, tools: Sequence[BaseTool]
) -> Calling:
    """Raises: UsageError for missing tools, and where the chat template can't list tools and is asked to."""
    toolbox = build_toolbox(spec, search=search, tools=tools)
    form = spec.tools.calls
    if form == "auto" and template is not None:
        form = template.call_format or "auto"
    by_template = spec.tools.announce == "template"
    if by_template and (template is None or not template.lists(toolbox.schemas)):
        raise UsageError(
            f"graph '{spec.name}': the policy's chat template does not list tools; set 'tools.announce: prompt' and "
            "name the variables 'tools' and 'tool_format' in the prompt"
        )
    return Calling(
        toolbox,
        form,
        tuple(toolbox.schemas) if by_template else (),
        _variables(ToolBox() if by_template else toolbox, form),
        thinking=template.opened_reasoning if template is not None else "",
        most=spec.tools.calls_per_turn,
    )


def _variables(toolbox: ToolBox, form: CallFormatName | Literal["auto"]) -> dict[str, Any]:
    listed = [
        {"name": tool.name, "description": tool.description, "parameters": json.dumps(tool.parameters)}
        for tool in toolbox.tools.values()
    ]
    return {"tools": listed, "tool_format": FORMATS[_UNKNOWN_FORMAT if form == "auto" else form].instructions}
