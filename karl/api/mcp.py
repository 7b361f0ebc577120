"""The MCP servers of graphs, kept open beside them: sessions live in one loop, calls come from any."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from pydantic import Field

from agents.errors import RolloutError
from agents.loop_thread import LoopThread
from agents.mcp_settings import McpServer
from agents.mcp_tools import open_mcp_tools
from store.errors import KarlError, UsageError


class OpenServers:
    """Opens each server once, by name, however many graphs use it. `close` ends them all."""

    def __init__(self) -> None:
        self._thread: LoopThread | None = None
        self._stack = AsyncExitStack()
        self._open: dict[str, tuple[McpServer, list[BaseTool]]] = {}

    def open(self, servers: Mapping[str, McpServer]) -> list[BaseTool]:
        """Their tools. Raises: KarlError for a server that can't be opened, UsageError as `open_mcp_tools`."""
        for name, settings in servers.items():
            if name not in self._open:
                self._open[name] = settings, self._opened(name, settings)
            if self._open[name][0] != settings:
                raise UsageError(f"two graphs mean different MCP servers by '{name}'; rename one of them")
        return [tool for name in servers for tool in self._open[name][1]]

    def close(self) -> None:
        """Sessions ended, processes gone."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.run(self._stack.aclose())
            thread.close()

    def _opened(self, name: str, settings: McpServer) -> list[BaseTool]:
        self._thread = thread = self._thread or LoopThread("karl-mcp")
        try:
            tools = thread.run(self._stack.enter_async_context(open_mcp_tools({name: settings})))
        except RolloutError as exc:
            # Here it is no rollout's failure but something to mend before any begins.
            raise KarlError(str(exc)) from exc
        return [_hopping(tool, thread) for tool in tools]


class _HoppingTool(BaseTool):
    """A tool whose calls run in the loop of its session."""

    inner: Any = Field(exclude=True)
    thread: Any = Field(exclude=True)

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        return await self.thread.hop(self.inner.ainvoke(input, config, **kwargs))

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        return self.thread.run(self.inner._arun(*args, **kwargs))


def _hopping(tool: BaseTool, thread: LoopThread) -> BaseTool:
    described: dict[str, Any] = {
        name: getattr(tool, name) for name in ("name", "description", "args_schema", "metadata")
    }
    return _HoppingTool(**described, inner=tool, thread=thread)
