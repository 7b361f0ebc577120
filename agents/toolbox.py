"""The tools of one graph by name: calls are checked against each tool's JSON Schema, then carried out.

What the policy got wrong (an unknown tool, wrong arguments) and what a tool itself reports is told to the policy;
what broke (a lost connection, a bug) is a ToolError and ends the rollout.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from agents.arguments import check_schema, coerce, find_fault
from agents.errors import ToolError, boundary
from prompts.closed_yaml import closest
from prompts.output import ToolCall
from store.errors import UsageError
from store.types import Hit

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool


@dataclass(frozen=True, slots=True)
class ToolReply:
    """`hits`: passages, which the graph numbers and writes itself; `error`: the tool says that it could not."""

    text: str = ""
    hits: list[Hit] | None = None
    error: str | None = None


@dataclass(frozen=True)
class Tool:
    """`parameters`: JSON Schema of an object, what `run` takes."""

    name: str
    description: str
    parameters: dict[str, Any]
    run: Callable[[dict[str, Any]], Awaitable[ToolReply]] = field(repr=False)

    @cached_property
    def schema(self) -> dict[str, Any]:
        """As chat templates and chat endpoints take it."""
        function = {"name": self.name, "description": self.description, "parameters": self.parameters}
        return {"type": "function", "function": function}


class ToolBox:
    """Frozen after construction. Raises: UsageError when two tools share a name or one has a faulty schema."""

    def __init__(self, tools: Sequence[Tool] = ()) -> None:
        self._tools: dict[str, Tool] = {}
        for tool in tools:
            if tool.name in self._tools:
                raise UsageError(f"two tools are named '{tool.name}'; leave one out or rename it")
            check_schema(tool.name, tool.parameters)
            self._tools[tool.name] = tool

    def __len__(self) -> int:
        return len(self._tools)

    @property
    def tools(self) -> Mapping[str, Tool]:
        return self._tools

    @property
    def schemas(self) -> list[dict[str, Any]]:
        return [tool.schema for tool in self._tools.values()]

    def check(self, call: ToolCall) -> ToolCall:
        """The call with its arguments as the schema has them, or with a `problem` that says how to mend it."""
        if call.problem is not None:
            return call
        tool = self._tools.get(call.name)
        if tool is None:
            known = ", ".join(self._tools) or "none"
            problem = f"there is no tool '{call.name}'; there are: {known}{closest(call.name, self._tools)}"
            return replace(call, problem=problem)
        arguments = coerce(call.arguments, tool.parameters)
        return replace(call, arguments=arguments, problem=find_fault(tool.name, arguments, tool.parameters))

    async def run(self, call: ToolCall) -> ToolReply:
        """Carry out a checked call. Raises: ToolError, RolloutTimeoutError."""
        async with boundary(ToolError, f"tool {call.name}"):
            return await self._tools[call.name].run(call.arguments)


def from_langchain(tool: BaseTool, *, name: str | None = None) -> Tool:
    """Any LangChain tool. A `ToolException` is the tool's own complaint, and so are arguments that it refuses.

    Raises: UsageError for a schema that refers to what it does not hold.
    """
    from langchain_core.tools import ToolException
    from langchain_core.utils.function_calling import convert_to_openai_tool
    from pydantic import ValidationError

    try:
        function = convert_to_openai_tool(tool)["function"]
    except KeyError as exc:  # what LangChain raises for a reference that it can't follow
        raise UsageError(f"tool '{tool.name}': its parameters are no JSON Schema: {exc.args[0]}") from exc

    async def run(arguments: dict[str, Any]) -> ToolReply:
        try:
            message = await tool.ainvoke({"type": "tool_call", "id": "call", "name": tool.name, "args": arguments})
        except (ToolException, ValidationError) as exc:
            return ToolReply(error=str(exc))
        return _reply(message)

    parameters = function.get("parameters") or {"type": "object", "properties": {}}
    return Tool(name or function["name"], function.get("description", ""), parameters, run)


def _reply(message: Any) -> ToolReply:
    """A ToolMessage: passages as its artifact, or its text; blocks that are no text are named, not shown."""
    artifact = message.artifact
    hits = artifact if isinstance(artifact, list) and artifact and all(isinstance(a, Hit) for a in artifact) else None
    content = message.content
    if not isinstance(content, str):
        content = "\n".join(_block(block) for block in content)
    return ToolReply(content, hits, error=content if message.status == "error" else None)


def _block(block: Any) -> str:
    if isinstance(block, str):
        return block
    return block["text"] if "text" in block else f"({block.get('type', 'content')}, which is not shown)"
