"""The MCP servers of a graph, kept open beside it: sessions live in one loop, calls come from any."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from pydantic import Field

from agents.mcp_settings import McpServer
from agents.mcp_tools import open_mcp_tools
from karl.api.loop_thread import LoopThread


class OpenServers:
    """Raises: as `open_mcp_tools` for a server that can't be opened; nothing is left running then."""

    def __init__(self, servers: Mapping[str, McpServer]) -> None:
        self._thread = LoopThread("karl-mcp")
        self._stack = AsyncExitStack()
        try:
            opened = self._thread.run(self._stack.enter_async_context(open_mcp_tools(servers)))
        except BaseException:
            self._thread.close()
            raise
        self.tools: list[BaseTool] = [_hopping(tool, self._thread) for tool in opened]

    def close(self) -> None:
        """Sessions ended, processes gone."""
        self._thread.run(self._stack.aclose())
        self._thread.close()


class _HoppingTool(BaseTool):
    """A tool whose calls run in the loop of its session."""

    inner: Any = Field(exclude=True)
    thread: Any = Field(exclude=True)

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        return await self.thread.hop(self.inner.ainvoke(input, config, **kwargs))

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        return self.thread.run(self.inner._arun(*args, **kwargs))


def _hopping(tool: BaseTool, thread: LoopThread) -> BaseTool:
    described: dict[str, Any] = {"name": tool.name, "description": tool.description, "args_schema": tool.args_schema}
    return _HoppingTool(**described, inner=tool, thread=thread)
