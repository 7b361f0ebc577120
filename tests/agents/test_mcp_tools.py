"""MCP client: against a real server process over stdio and HTTP."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool
from pydantic import ValidationError

from agents.errors import RolloutTimeoutError, ToolError
from agents.mcp_settings import McpServer
from agents.mcp_tools import open_mcp_tools
from store.errors import UsageError

SCRIPT = Path(__file__).parents[1] / "fixtures" / "mcp_server.py"


def office(**changes: object) -> McpServer:
    return McpServer.model_validate({"command": sys.executable, "args": (str(SCRIPT),), **changes})


def named(tools: list[BaseTool], name: str) -> BaseTool:
    return next(tool for tool in tools if tool.name == name)


async def message(tool: BaseTool, **arguments: object) -> ToolMessage:
    reply = await tool.ainvoke({"type": "tool_call", "id": "1", "name": tool.name, "args": arguments})
    assert isinstance(reply, ToolMessage)
    return reply


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_tools_over_stdio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFICE_KEY", "s3cret")
    servers = {"office": office(env={"KEY": "${OFFICE_KEY}", "PLAIN": "$5"})}
    async with open_mcp_tools(servers) as tools:
        assert [tool.name for tool in tools] == ["add", "lookup", "wait", "setting", "process"]
        assert named(tools, "add").description == "The sum of two whole numbers."
        assert named(tools, "add").args["a"]["type"] == "integer"
        assert (await message(named(tools, "add"), a=2, b=40)).text == "42"
        refused = await message(named(tools, "lookup"), room="7")
        assert refused.status == "error" and "no room 7; there are 101 and 102" in refused.text
        wrong = await message(named(tools, "add"), a="two", b=1)
        assert wrong.status == "error" and "valid integer" in wrong.text
        assert (await message(named(tools, "setting"), name="KEY")).text == "s3cret"
        assert (await message(named(tools, "setting"), name="PLAIN")).text == "$5"
        pid = int((await message(named(tools, "process"))).text)
        assert alive(pid)
    assert not alive(pid)
    assert [task for task in asyncio.all_tasks() if task.get_name().startswith("mcp ")] == []


async def test_calls_run_side_by_side() -> None:
    async with open_mcp_tools({"office": office(tools=["wait"])}) as tools:
        began = time.perf_counter()
        replies = await asyncio.gather(*(message(tools[0], seconds=0.4) for _ in range(5)))
        assert [reply.text for reply in replies] == ["done"] * 5
        assert time.perf_counter() - began < 1.5


async def test_a_slow_call_times_out_and_the_session_lives_on() -> None:
    async with open_mcp_tools({"office": office(tools=["wait", "add"], call_seconds=0.3)}) as tools:
        with pytest.raises(RolloutTimeoutError, match="MCP tool office/wait: timed out"):
            await message(named(tools, "wait"), seconds=5)
        assert (await message(named(tools, "add"), a=1, b=1)).text == "2"


async def test_a_cancelled_call_leaves_nothing_behind() -> None:
    async with open_mcp_tools({"office": office(tools=["wait"])}) as tools:
        before = asyncio.all_tasks()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(message(tools[0], seconds=5), 0.2)
        assert asyncio.all_tasks() == before


async def test_a_server_that_died_is_started_again() -> None:
    async with open_mcp_tools({"office": office(tools=["process", "wait"])}) as tools:
        process = named(tools, "process")
        first = int((await message(process)).text)
        waiting = asyncio.ensure_future(message(named(tools, "wait"), seconds=20))
        await asyncio.sleep(0.3)
        os.kill(first, signal.SIGKILL)
        with pytest.raises(ToolError, match=r"MCP tool office/wait: .*[Cc]onnection"):
            await asyncio.wait_for(waiting, 5)
        second = int((await message(process)).text)
        assert second != first and alive(second)
    assert not alive(second)


async def test_servers_that_do_not_open() -> None:
    with pytest.raises(ToolError, match=r"MCP server 'gone': .*No such file"):
        async with open_mcp_tools({"gone": McpServer(command="/nowhere/server")}):
            pass
    with pytest.raises(ToolError, match=r"MCP server 'office': ConnectionError: .*onnection"):
        async with open_mcp_tools({"office": office(args=("-c", "pass"))}):
            pass
    mute = office(args=("-c", "import time; time.sleep(60)"), open_seconds=0.5)
    with pytest.raises(RolloutTimeoutError, match="MCP server 'office': timed out"):
        async with open_mcp_tools({"office": mute}):
            pass
    with pytest.raises(ToolError, match="MCP server 'web': ConnectionError: can't be opened: ConnectError"):
        async with open_mcp_tools({"web": McpServer(url=f"http://127.0.0.1:{free_port()}/mcp", open_seconds=10)}):
            pass


async def test_wrong_settings_say_what_to_do() -> None:
    with pytest.raises(UsageError, match=r"no tool 'looku'; it has: add, lookup, .*did you mean 'lookup'"):
        async with open_mcp_tools({"office": office(tools=["looku"])}):
            pass
    with pytest.raises(UsageError, match="servers 'a' and 'b' both have a tool 'add': set `prefix: true`"):
        async with open_mcp_tools({"a": office(tools=["add"]), "b": office(tools=["add"])}):
            pass
    with pytest.raises(UsageError, match="variable KARL_UNSET_KEY is not set; export it"):
        async with open_mcp_tools({"office": office(env={"KEY": "${KARL_UNSET_KEY}"})}):
            pass
    with pytest.raises(ValidationError, match="give `command` or `url`, one of the two"):
        McpServer()
    with pytest.raises(ValidationError, match="`headers` does not go with `command`"):
        office(headers={"x": "y"})


async def test_prefixed_names() -> None:
    async with open_mcp_tools({"a": office(tools=["add"]), "b": office(tools=["add"], prefix=True)}) as tools:
        assert [tool.name for tool in tools] == ["add", "b_add"]
        assert (await message(tools[1], a=1, b=2)).text == "3"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def http_server() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    port = free_port()
    process = subprocess.Popen([sys.executable, str(SCRIPT), "--http", str(port)])
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/mcp", process
    finally:
        process.kill()
        process.wait(10)


async def test_tools_over_http_and_a_server_that_goes_away(http_server: tuple[str, subprocess.Popen[bytes]]) -> None:
    url, process = http_server
    async with open_mcp_tools({"web": McpServer(url=url, tools=("add",), call_seconds=10)}) as tools:
        assert (await message(tools[0], a=20, b=22)).text == "42"
        process.kill()
        process.wait(10)
        with pytest.raises(ToolError, match="MCP tool web/add: ConnectionError: the connection ended"):
            await message(tools[0], a=1, b=1)
        with pytest.raises(ToolError, match="MCP tool web/add: ConnectionError: can't be opened"):
            await message(tools[0], a=1, b=1)
