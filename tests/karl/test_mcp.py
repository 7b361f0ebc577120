"""`karl mcp` in a process of its own, spoken to by the official client: over stdio, and over HTTP."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent

from store import queries
from store.session import Store
from tests.agents.test_mcp_tools import free_port
from tests.karl.kit import command, counts, environment, small_company, spawn


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with three ingested corpora, `acme`, `notes` and `plans`."""
    folder = tmp_path_factory.mktemp("mcp")
    documents, _ = small_company(folder)  # writes its questions beside them
    (folder / "one").mkdir()
    (folder / "one" / "a.md").write_text("# Lamps\n\nThe lamp in the hall is green.\n")
    (folder / "plans").mkdir()
    for year in (2018, 2019, 2020):
        text = f"---\nyear: {year}\n---\n\n# Plan\n\nThe harbor plan of {year}.\n"
        (folder / "plans" / f"plan-{year}.md").write_text(text)
    for path, name in ((documents, "acme"), (folder / "one", "notes"), (folder / "plans", "plans")):
        done = spawn("--home", folder / "home", "ingest", path, "--name", name, "--embedder", "none", cwd=folder)
        assert done.code == 0, done.err
    return folder / "home"


@asynccontextmanager
async def client(home: Path, *options: str) -> AsyncIterator[ClientSession]:
    program, *arguments = command("--home", home, "mcp", *options)
    server = StdioServerParameters(command=program, args=arguments, env=environment(), cwd=home.parent)
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        yield session


def content(result: CallToolResult) -> dict[str, Any]:
    assert not result.isError, result.content
    assert result.structuredContent is not None
    # Clients that know no structured content read the same as text.
    assert isinstance(result.content[0], TextContent) and json.loads(result.content[0].text) == result.structuredContent
    return result.structuredContent


def complaint(result: CallToolResult) -> str:
    assert result.isError and isinstance(result.content[0], TextContent)
    return result.content[0].text


async def test_tools_say_what_they_take(home: Path) -> None:
    async with client(home) as session:
        tools = {tool.name: tool for tool in (await session.list_tools()).tools}
        assert sorted(tools) == ["ask", "vector_search"]
        search = tools["vector_search"].inputSchema
        assert search["required"] == ["query"] and sorted(search["properties"]) == [
            "corpus",
            "k",
            "max_chars",
            "query",
            "where",
        ]
        where = search["properties"]["where"]
        assert "`headings`" in where["description"] and where["anyOf"][0]["type"] == "object"
        assert (search["properties"]["k"]["default"], search["properties"]["k"]["maximum"]) == (20, 200)
        assert sorted(tools["ask"].inputSchema["properties"]) == ["corpus", "question"]
        assert tools["ask"].annotations is not None and tools["ask"].annotations.readOnlyHint


async def test_search_and_ask_over_stdio(home: Path) -> None:
    before = counts(home, ("rollout",))[0]
    async with client(home) as session:
        found = content(await session.call_tool("vector_search", {"corpus": "notes", "query": "lamp", "k": 3}))
        (lamp,) = found["passages"]
        assert "The lamp in the hall is green." in lamp["text"] and lamp["key"].startswith("a.md")
        several = content(await session.call_tool("vector_search", {"corpus": "acme", "query": "team", "k": 2}))
        scores = [passage["score"] for passage in several["passages"]]
        assert len(scores) == 2 and scores[0] >= scores[1]
        heard: list[str | None] = []

        async def progress(done: float, total: float | None, message: str | None) -> None:
            heard.append(message)

        question = json.loads((home.parent / "questions.jsonl").read_text().splitlines()[0])["question"]
        result = await session.call_tool("ask", {"corpus": "acme", "question": question}, progress_callback=progress)
        reply = content(result)
        assert reply["answer"] or reply["failure"]
        assert reply["searches"] and heard == [f"search: {query}" for query in reply["searches"]]
        assert reply["checkpoint"].endswith("karl/tiny/policy")
    assert counts(home, ("rollout",))[0] == before + 1
    store = Store.open(f"sqlite:///{home / 'karl.db'}")
    try:
        with store.session() as rows:
            assert queries.rollout_id_by_key(rows, reply["trace_id"]) is not None
    finally:
        store.close()


async def test_a_filter_chooses_what_is_searched(home: Path) -> None:
    async with client(home, "--corpus", "plans") as session:

        async def search(where: dict[str, Any]) -> CallToolResult:
            return await session.call_tool("vector_search", {"query": "harbor plan", "where": where})

        async def found(where: dict[str, Any]) -> list[str]:
            return sorted(passage["key"] for passage in content(await search(where))["passages"])

        assert await found({}) == ["plan-2018.md#0", "plan-2019.md#0", "plan-2020.md#0"]
        assert await found({"year": [2018, "2019"]}) == ["plan-2018.md#0", "plan-2019.md#0"]
        assert await found({"year": 2020, "path": "PLAN*"}) == ["plan-2020.md#0"]
        assert await found({"year": 1999}) == []
        cut = await session.call_tool(
            "vector_search", {"query": "harbor plan", "where": {"year": 2020}, "max_chars": 4}
        )
        (passage,) = content(cut)["passages"]
        assert (passage["path"], passage["properties"]) == ("plan-2020.md", {"year": 2020})
        assert len(passage["text"]) <= 6 and passage["text"].endswith("…")
        assert complaint(await search({"colour": "red"})).endswith(
            "nothing in corpus 'plans' has a property 'colour'; there are: headings, page, path, title, year"
        )
        assert "where.year" in complaint(await search({"year": {"from": 2018}}))
        assert "at least 1 item" in complaint(await search({"year": []}))


async def test_wrong_calls_are_told(home: Path) -> None:
    async with client(home) as session:
        which = complaint(await session.call_tool("vector_search", {"query": "x"}))
        assert "which corpus? name one of acme, notes, plans" in which
        unknown = complaint(await session.call_tool("ask", {"corpus": "akme", "question": "x"}))
        assert "no corpus 'akme'; there are: acme, notes, plans" in unknown
        assert "less than or equal to 200" in complaint(
            await session.call_tool("vector_search", {"query": "x", "k": 999})
        )
    async with client(home, "--corpus", "notes") as session:
        assert content(await session.call_tool("vector_search", {"query": "lamp"}))["passages"]
        hidden = complaint(await session.call_tool("vector_search", {"query": "x", "corpus": "acme"}))
        assert "no corpus 'acme' is served; there are: notes" in hidden


def test_a_corpus_that_is_missing_ends_the_command(home: Path) -> None:
    done = spawn("--home", home, "mcp", "--corpus", "akme", cwd=home.parent)
    assert (done.code, done.out) == (2, "") and "karl: no corpus 'akme'; there are: acme, notes, plans" in done.err


STRAY = """
import os, sys, karl.corpus_service as service
search = service.CorpusService.search
async def noisy(self, *arguments):
    print("stray print"); os.write(1, b"stray write\\n"); os.system("echo stray child")
    return await search(self, *arguments)
service.CorpusService.search = noisy
from karl.cli import main
main()
"""


def test_stdout_holds_the_protocol_alone(home: Path) -> None:
    messages = [
        {
            "id": 1,
            "method": "initialize",
            "params": {
                "protocolVersion": "2025-06-18",
                "capabilities": {},
                "clientInfo": {"name": "t", "version": "1"},
            },
        },
        {"method": "notifications/initialized"},
        {
            "id": 2,
            "method": "tools/call",
            "params": {"name": "vector_search", "arguments": {"query": "lamp", "corpus": "notes"}},
        },
    ]
    process = subprocess.Popen(
        [sys.executable, "-c", STRAY, "--home", str(home), "mcp"],
        cwd=home.parent,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    lines = []
    for message in messages:
        process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        process.stdin.flush()
        if "id" in message:
            lines.append(process.stdout.readline())
    rest, said = process.communicate(timeout=30)
    assert [json.loads(line)["id"] for line in [*lines, *rest.splitlines()]] == [1, 2]
    assert [said.count(f"stray {what}") for what in ("print", "write", "child")] == [1, 1, 1]
    assert process.returncode == 0


async def test_over_http(home: Path) -> None:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *command("--home", home, "mcp", "--transport", "http", "--port", port, "--corpus", "notes"),
        cwd=home.parent,
        env=environment(),
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        await _listening(port)
        address = f"http://127.0.0.1:{port}/mcp"
        async with streamable_http_client(address) as (read, write, _), ClientSession(read, write) as session:
            started = await session.initialize()
            assert started.serverInfo.name == "karl" and "Corpora: notes" in (started.instructions or "")
            found = content(await session.call_tool("vector_search", {"query": "lamp"}))
            assert len(found["passages"]) == 1
    finally:
        process.terminate()
        _, said = await asyncio.wait_for(process.communicate(), 20)
    assert f"serving on http://127.0.0.1:{port}/mcp" in said.decode()


async def _listening(port: int) -> None:
    for _ in range(300):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return
    raise AssertionError(f"nothing listens on port {port}")
