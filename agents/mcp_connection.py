"""One MCP server: its session in a task of its own, calls with a timeout, a fresh start after it died.

The official adapter translates schemas and results.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_core.tools import BaseTool

from agents.errors import ToolError, boundary
from agents.mcp_settings import McpServer, expand
from prompts.closed_yaml import closest
from store.errors import UsageError

if TYPE_CHECKING:
    from langchain_mcp_adapters.sessions import Connection
    from mcp import ClientSession
    from mcp.types import CallToolResult

SERVER = "mcp_server"  # key of a tool's metadata: the name that the graph gives its server
_SESSION_TERMINATED = 32600  # what the client reports when an HTTP server has forgotten the session


@dataclass(frozen=True)
class _Link:
    """A session and the task that owns it: anyio wants it left in the task that entered it."""

    session: ClientSession
    task: asyncio.Task[None]
    stop: asyncio.Event


class McpConnection:
    """One server. Calls run side by side over one session."""

    def __init__(self, name: str, settings: McpServer) -> None:
        self.name = name
        self._settings = settings
        self._connection = _connection(name, settings)
        self._link: _Link | None = None
        self._opening = asyncio.Lock()

    async def tools(self) -> list[BaseTool]:
        """The chosen tools, in the server's order. Raises: as `open_mcp_tools`."""
        from langchain_mcp_adapters.tools import load_mcp_tools

        async with boundary(ToolError, f"MCP server '{self.name}'"):
            link = await self._linked()
            tools = await self._within(
                link,
                load_mcp_tools(
                    link.session,
                    tool_interceptors=[self._call],
                    server_name=self.name,
                    tool_name_prefix=self._settings.prefix,
                ),
                seconds=self._settings.open_seconds,
            )
        return self._chosen(tools)

    async def aclose(self) -> None:
        """End the session; a command's process is gone afterwards."""
        link, self._link = self._link, None
        if link is not None:
            link.stop.set()
            await asyncio.gather(link.task, return_exceptions=True)

    def _chosen(self, tools: list[BaseTool]) -> list[BaseTool]:
        lead = f"{self.name}_" if self._settings.prefix else ""
        by_name = {tool.name.removeprefix(lead): tool for tool in tools}
        for name in self._settings.tools:
            if name not in by_name:
                known = ", ".join(by_name) or "none"
                raise UsageError(
                    f"MCP server '{self.name}' has no tool '{name}'; it has: {known}{closest(name, by_name)}"
                )
        chosen = [tool for name, tool in by_name.items() if not self._settings.tools or name in self._settings.tools]
        for tool in chosen:
            tool.metadata = {**(tool.metadata or {}), SERVER: self.name}
        return chosen

    async def _call(self, request: Any, handler: Any) -> CallToolResult:
        """The adapter's interceptor: the session of now instead of the one that the tool was listed over."""
        async with boundary(ToolError, f"MCP tool {self.name}/{request.name}"):
            link = await self._linked()
            try:
                call = link.session.call_tool(request.name, request.args)
                return await self._within(link, call, seconds=self._settings.call_seconds)
            except Exception as exc:
                if _lost(exc) and self._link is link:
                    await self.aclose()
                raise

    async def _within(self, link: _Link, call: Any, *, seconds: float) -> Any:
        """Await `call`, unless its session ends first. Raises: ConnectionError for that, TimeoutError."""
        waiting = asyncio.ensure_future(call)
        try:
            await asyncio.wait({waiting, link.task}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                return waiting.result()
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        if link.task.done():
            raise ConnectionError(f"the connection ended: {_cause(link.task)}")
        raise TimeoutError(f"no reply within {seconds:g} s")

    async def _linked(self) -> _Link:
        async with self._opening:
            if self._link is None or self._link.task.done():
                self._link = await self._connect()
            return self._link

    async def _connect(self) -> _Link:
        ready: asyncio.Future[ClientSession] = asyncio.get_running_loop().create_future()
        stop = asyncio.Event()
        task = asyncio.create_task(self._serve(ready, stop), name=f"mcp {self.name}")
        try:
            await asyncio.wait({ready, task}, timeout=self._settings.open_seconds, return_when=asyncio.FIRST_COMPLETED)
            if ready.done():
                return _Link(ready.result(), task, stop)
        finally:
            if not ready.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        if not task.cancelled():
            raise ConnectionError(f"can't be opened: {_cause(task)}")
        raise TimeoutError(f"no answer within {self._settings.open_seconds:g} s")

    async def _serve(self, ready: asyncio.Future[ClientSession], stop: asyncio.Event) -> None:
        from langchain_mcp_adapters.sessions import create_session

        async with create_session(self._connection) as session:
            await session.initialize()
            ready.set_result(session)
            await stop.wait()


def _connection(name: str, given: McpServer) -> Connection:
    if given.url:
        return {
            "transport": "streamable_http",
            "url": given.url,
            "headers": expand(given.headers, server=name),
            "timeout": given.open_seconds,
            "sse_read_timeout": given.call_seconds,
        }
    return {
        "transport": "stdio",
        "command": given.command,
        "args": list(given.args),
        "env": expand(given.env, server=name),
        "cwd": given.cwd or None,
    }


def _lost(exc: Exception) -> bool:
    """Whether the session is of no use any more (a server's own error answer leaves it as it is)."""
    from mcp import McpError
    from mcp.types import CONNECTION_CLOSED

    if isinstance(exc, McpError):
        return exc.error.code in (CONNECTION_CLOSED, _SESSION_TERMINATED)
    return not isinstance(exc, TimeoutError)


def _cause(task: asyncio.Task[None]) -> str:
    """Why the task ended, without the groups that anyio wraps around it."""
    exc = None if task.cancelled() else task.exception()
    while isinstance(exc, BaseExceptionGroup):
        exc = exc.exceptions[0]
    return f"{type(exc).__name__}: {exc}" if exc else "it was stopped"
