"""Tools of MCP servers as LangChain tools: opened once, shared by any number of rollouts, closed cleanly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from langchain_core.tools import BaseTool

from agents.mcp_connection import SERVER, McpConnection
from agents.mcp_settings import McpServer
from store.errors import UsageError


@asynccontextmanager
async def open_mcp_tools(servers: Mapping[str, McpServer]) -> AsyncIterator[list[BaseTool]]:
    """The chosen tools of all `servers` (by name), for as long as the context lasts; within one event loop.

    A tool's own complaint (`isError`) is a ToolMessage of status `error`, for the policy to read. Raises: ToolError
    for a server that can't be started or reached, RolloutTimeoutError for one that is silent, UsageError for a tool
    that a server does not have, two tools of one name, a `${NAME}` without a value, or the missing extra.
    """
    _require_extra()
    connections = [McpConnection(name, settings) for name, settings in servers.items()]
    try:
        tools_by_server = [(connection.name, await connection.tools()) for connection in connections]
        _check_names(tools_by_server)
        yield [tool for _, tools in tools_by_server for tool in tools]
    finally:
        await asyncio.gather(*(connection.aclose() for connection in connections))


def server_of(tool: BaseTool) -> str | None:
    """The name of the MCP server that a tool is of; None for any other tool."""
    return (tool.metadata or {}).get(SERVER)


def _check_names(tools_by_server: list[tuple[str, list[BaseTool]]]) -> None:
    owner: dict[str, str] = {}
    for server, tools in tools_by_server:
        for tool in tools:
            other = owner.setdefault(tool.name, server)
            if other != server:
                raise UsageError(
                    f"MCP servers '{other}' and '{server}' both have a tool '{tool.name}': set `prefix: true` at one, "
                    "or choose fewer of its `tools`"
                )


def _require_extra() -> None:
    try:
        import langchain_mcp_adapters  # noqa: F401
    except ImportError as exc:
        raise UsageError("MCP servers need the extra: pip install 'karl-agents[mcp]'") from exc
