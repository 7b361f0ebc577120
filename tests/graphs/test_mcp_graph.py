"""Graphs whose tools are those of a real MCP server, through the scripted engine."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from agents.mcp_tools import open_mcp_tools
from agents.policy import Policy
from graphs.runner import GraphRunner
from graphs.schema import GraphSpec
from graphs.state import RolloutInputs
from karl import load_graph
from store.errors import KarlError, UsageError
from store.types import FailureKind, Purpose, RolloutRecord, RolloutStatus, StepKind
from tests.agents.test_mcp_tools import SCRIPT, alive
from tests.graphs.small import small_spec
from tests.harness_kit import NOTES, ListSearcher, scripted_policy, text_policy

PROMPT = """---
description: Answers with tools.
version: 1
variables:
  question: {type: string}
  summary: {type: string}
  tools: {type: list}
  tool_format: {type: string}
output: {parser: tags, actions: [answer], calls: hermes}
---
{% for tool in tools %}{{ tool.name }}({{ tool.parameters }}): {{ tool.description }}
{% endfor %}{{ tool_format }}
{{ question }}{{ summary }}
"""
SERVERS = {"office": {"command": sys.executable, "args": [str(SCRIPT)], "tools": ["lookup", "add", "process"]}}


def call(name: str, **arguments: object) -> str:
    return f"<tool_call>{json.dumps({'name': name, 'arguments': arguments})}</tool_call>"


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    for folder in (tmp_path, tmp_path / "tiny"):
        folder.mkdir(exist_ok=True)
        (folder / "solver.md").write_text(PROMPT)
    return tmp_path


def spec() -> GraphSpec:
    return small_spec("solver", tools={"search": {"k": 3}, "mcp": SERVERS}, sampling={"max_tokens": 256})


async def run(runner: GraphRunner) -> RolloutRecord:
    return await runner.run(RolloutInputs(question="who sits there?"), key="r", purpose=Purpose.ASK, seed=1)


async def test_calls_of_a_server_beside_the_search(prompts: Path) -> None:
    policy = text_policy(
        call("lookup", room="101") + call("search", query="falcon"),
        call("lookup", room="7") + call("add", a=2),
        "<answer>mira</answer>",
    )
    graph = spec()
    async with open_mcp_tools(graph.tools.mcp) as tools:
        runner = GraphRunner(graph, policy=policy, searcher=ListSearcher(NOTES), tools=tools, prompt_path=[prompts])
        record = await run(runner)
    assert (record.status, record.answer) == (RolloutStatus.FINISHED, "mira")
    first, second, _ = record.steps
    assert (first.kind, second.kind) == (StepKind.TOOL, StepKind.TOOL)
    looked, searched = first.calls
    assert (looked.tool, looked.reply, looked.error) == ("lookup", "mira", None)
    assert searched.hits == first.hits == [11, 12]
    missing, incomplete = second.calls
    assert missing.error is not None and "no room 7; there are 101 and 102" in missing.error
    assert incomplete.error is not None and "the argument 'b' is missing" in incomplete.error
    told = policy.decode(record.segments[0].token_ids)
    assert "lookup({" in told and "Who sits in a room." in told and "<|tool|>mira<|end|>" in told
    assert "process({" in told and "wait({" not in told  # chosen tools alone


async def test_a_server_that_dies_fails_the_rollout_and_serves_the_next(prompts: Path) -> None:
    seen: list[int] = []

    def respond(request: Any) -> str:
        text = policy.decode(list(request.prompt_ids))
        replies = [part.split("<|end|>")[0] for part in text.split("<|tool|>")[1:]]
        if not replies:
            return call("process")
        seen.append(int(replies[0]))
        if len(set(seen)) == 1:
            os.kill(seen[0], signal.SIGKILL)
        return call("lookup", room="101") if len(replies) == 1 else "<answer>mira</answer>"

    policy, graph = scripted_policy(respond), spec()
    async with open_mcp_tools(graph.tools.mcp) as tools:
        runner = GraphRunner(graph, policy=policy, searcher=ListSearcher(NOTES), tools=tools, prompt_path=[prompts])
        failed, fine = await run(runner), await run(runner)
    assert failed.status is RolloutStatus.FAILED and failed.failure is not None
    assert failed.failure.kind is FailureKind.TOOL and "MCP tool office/lookup" in failed.failure.reason
    assert (fine.status, fine.answer) == (RolloutStatus.FINISHED, "mira")


def file_of(folder: Path, servers: dict[str, Any]) -> Path:
    path = folder / "clerk.yaml"
    lines = [
        "name: clerk",
        "description: Asks the office.",
        "extends: solver",
        f"tools: {{mcp: {json.dumps(servers)}}}",
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def loaded(folder: Path, policy: Policy, servers: dict[str, Any] = SERVERS) -> Any:
    settings = {"prompt_path": [folder], "home": folder / "home"}
    return load_graph(file_of(folder, servers), corpus=ListSearcher(NOTES), policy=policy, settings=settings)


async def test_a_graph_file_opens_its_servers_and_closes_them(prompts: Path) -> None:
    policy = text_policy(call("process"), "<answer>mira</answer>", variant="")
    graph = loaded(prompts, policy)
    answer = await graph.ainvoke({"question": "x"})
    pid = int(answer.record.steps[0].calls[0].reply)
    assert alive(pid)
    await graph.aclose()
    assert not alive(pid)


def test_calls_from_a_loop_of_its_own(prompts: Path) -> None:
    turns = call("lookup", room="102"), "<answer>bram</answer>", call("process"), "<answer>x</answer>"
    policy = text_policy(*turns, variant="")
    with loaded(prompts, policy) as graph:
        first = graph.invoke("who?")
        pid = int(graph.invoke("which?").record.steps[0].calls[0].reply)
        assert first.record.steps[0].calls[0].reply == "bram" and alive(pid)
    assert not alive(pid)


def test_a_server_that_can_not_be_opened_is_told_before_anything_runs(prompts: Path) -> None:
    with pytest.raises(KarlError, match=r"MCP server 'office': .*No such file"):
        loaded(prompts, text_policy("x"), {"office": {"command": "/nowhere/server"}})
    with pytest.raises(UsageError, match=r"clerk\.yaml:4:.*give `command` or `url`, one of the two"):
        loaded(prompts, text_policy("x"), {"office": {"tools": ["lookup"]}})


def test_tools_that_were_not_given_are_named(prompts: Path) -> None:
    with pytest.raises(UsageError, match=r"uses the MCP server 'office' and was given none of its tools"):
        GraphRunner(spec(), policy=text_policy("x"), searcher=ListSearcher(NOTES), prompt_path=[prompts])
