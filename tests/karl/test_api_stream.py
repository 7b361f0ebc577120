"""`astream`: what happens, in order; tokens as they are sampled; leaving early cancels the rollout."""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from agents.engines.base import GenerateRequest
from karl import (
    AnswerGiven,
    AttemptFinished,
    Compressed,
    Event,
    Failed,
    Finished,
    Graph,
    Hits,
    NodeEntered,
    SearchStarted,
    Token,
    ToolReplied,
    TurnStarted,
    UsageError,
    load_trace,
)
from karl.tiny import POLICY_FOLDER
from tests.harness_kit import scripted_policy, text_policy
from tests.karl.api_kit import QUESTION, ROOMY, TURNS, load, make_corpus, stored_rollouts

MCP_SERVER = Path(__file__).parents[1] / "fixtures" / "mcp_server.py"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return make_corpus(tmp_path)


async def events(graph: Graph, inputs: Any = QUESTION, **options: Any) -> list[Event | Finished]:
    return [event async for event in graph.astream(inputs, **options)]


def kinds(seen: list[Event | Finished]) -> str:
    return " ".join(type(event).__name__ for event in seen)


# -- what is told ----------------------------------------------------------------------------------------------------


async def test_everything_is_told_in_order(home: Path) -> None:
    async with load(home) as graph:
        seen = await events(graph)
    turn, tool = "NodeEntered TurnStarted Token", "NodeEntered SearchStarted Hits ToolReplied"
    assert kinds(seen) == f"{turn} {tool} {turn} {tool} {turn} AnswerGiven Finished"
    nodes = [event.node for event in seen if isinstance(event, NodeEntered)]
    assert nodes == ["think", "search", "think", "search", "think"]
    assert [event.turn for event in seen if isinstance(event, TurnStarted)] == [1, 2, 3]
    assert [event.text for event in seen if isinstance(event, Token)] == list(TURNS)
    assert [event.query for event in seen if isinstance(event, SearchStarted)] == ["mira", "falcon oslo"]
    found = [event for event in seen if isinstance(event, Hits)]
    assert found[0].hits[0].key == "people/mira.md#0" and found[0].seconds > 0
    replied = [event for event in seen if isinstance(event, ToolReplied)]
    assert replied[0].reply.startswith("[1] ") and replied[0].error is None
    given, finished = seen[-2:]
    assert isinstance(given, AnswerGiven) and isinstance(finished, Finished)
    assert (given.answer, given.explanation) == ("Oslo", "[2] falcon is there")
    assert given.citations == tuple(citation.chunk_id for citation in finished.result.citations)
    assert {event.rollout for event in seen} == {finished.result.trace_id}
    assert finished.result.record == load_trace(finished.result.trace_id, home=home).record


async def test_a_compression_is_told_with_its_sizes(home: Path) -> None:
    def respond(request: GenerateRequest) -> str:
        text = policy.decode(list(request.prompt_ids))
        if text.endswith("summarise<|end|><|assistant|>"):
            return "<summary>mira</summary>"
        return "<answer>Oslo</answer>" if "so far" in text else "<search>mira</search>"

    policy = scripted_policy(respond)
    squeeze = {"plugins": [ROOMY["plugins"][0], {**ROOMY["plugins"][1], "trigger_tokens": 60, "summary_tokens": 32}]}
    async with load(home, policy, overrides=squeeze) as graph:
        seen = await events(graph)
    (told,) = [event for event in seen if isinstance(event, Compressed)]
    assert told.summary == "mira" and told.tokens_before > 60 > told.tokens_after > 10
    # The summary is no turn: its text comes once, in this event.
    assert [event.text for event in seen if isinstance(event, Token)] == [
        "<search>mira</search>",
        "<answer>Oslo</answer>",
    ]


async def test_a_failed_rollout_is_told_and_does_not_raise(home: Path) -> None:
    async with load(home, scripted_policy(lambda request: "hm")) as graph:
        seen = await events(graph)
        failed, finished = seen[-2:]
        assert isinstance(failed, Failed) and isinstance(finished, Finished)
        assert finished.result.failure == failed.failure and "no answer after 6 turns" in failed.failure.reason
        with pytest.raises(UsageError, match="unknown key 'qestion'"):
            await events(graph, {"qestion": "x"})


async def test_attempts_speak_under_their_own_keys(home: Path) -> None:
    def respond(request: GenerateRequest) -> str:
        return "<answer>Oslo</answer>" if "solver" in request.session else "<answer>Oslo it is</answer>"

    async with load(home, scripted_policy(respond), graph="aggregator", attempts=3) as graph:
        seen = await events(graph)
    done = [event for event in seen if isinstance(event, AttemptFinished)]
    assert [(event.finished, event.total, event.answer) for event in done] == [(n, 3, "Oslo") for n in (1, 2, 3)]
    outer = seen[-1].rollout
    assert {event.rollout for event in done} == {outer}
    assert {event.attempt for event in done} == {f"{outer}/solver-{n}" for n in range(3)}
    assert [e.rollout for e in seen if isinstance(e, AnswerGiven)].count(outer) == 1


# -- tokens ----------------------------------------------------------------------------------------------------------


async def test_tokens_of_the_local_engine_spell_the_turns(home: Path) -> None:
    """The embedded policy itself, streamed and not: one text, one answer."""
    async with load(home, policy=POLICY_FOLDER, overrides=None, on_failure="return") as graph:
        plain = await graph.ainvoke(QUESTION, seed=3)
        seen = await events(graph, seed=3)
        whole = await events(graph, seed=3, tokens=False)
    said: dict[int, list[str]] = defaultdict(list)
    for event in seen:
        if isinstance(event, Token):
            said[event.turn].append(event.text)
    turns = [step for step in plain.record.steps if step.kind != "compress"]
    assert ["".join(said[turn]) for turn in sorted(said)] == [step.text for step in turns]
    assert sum(map(len, said.values())) > len(turns)
    assert [event.text for event in whole if isinstance(event, Token)] == [step.text for step in turns]
    last = seen[-1]
    assert isinstance(last, Finished) and last.result.answer == plain.answer
    assert [s.token_ids for s in last.result.record.segments] == [s.token_ids for s in plain.record.segments]


# -- leaving early ---------------------------------------------------------------------------------------------------


class Gated:
    """A policy whose second turn waits for ever."""

    def __init__(self) -> None:
        self.waiting = asyncio.Event()
        self.policy = scripted_policy(self.respond)
        self.engine: Any = self.policy.engine

    async def respond(self, request: GenerateRequest) -> str:
        if "<|tool|>" not in self.policy.decode(list(request.prompt_ids)):
            return "<search>mira</search>"
        self.waiting.set()
        await asyncio.sleep(3600)
        return "<answer>never</answer>"

    async def settled(self, before: set[asyncio.Task[Any]]) -> None:
        async with asyncio.timeout(5):
            while asyncio.all_tasks() - before or not self.engine.released:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("how", ["break", "aclose", "cancel"])
async def test_leaving_the_stream_cancels_the_rollout(home: Path, how: str) -> None:
    gated = Gated()
    async with load(home, gated.policy) as graph:
        before = asyncio.all_tasks()
        if how == "break":
            async for event in graph.astream(QUESTION):
                if isinstance(event, Hits):
                    break
        elif how == "aclose":
            async with aclosing(graph.astream(QUESTION)) as stream:
                await anext(stream)
        else:
            reader = asyncio.create_task(events(graph))
            await gated.waiting.wait()
            reader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reader
        await gated.settled(before)
    assert {request.session for request in gated.engine.requests} <= set(gated.engine.released)
    assert stored_rollouts(home) == []


async def test_cancelling_ainvoke_leaves_nothing_behind(home: Path) -> None:
    gated = Gated()
    async with load(home, gated.policy) as graph:
        before = asyncio.all_tasks()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(graph.ainvoke(QUESTION), 0.2)
        await gated.settled(before)
    assert {r.session for r in gated.engine.requests} == set(gated.engine.released)


def test_stream_without_a_loop(home: Path) -> None:
    with load(home) as graph:
        seen = list(graph.stream(QUESTION))
    assert isinstance(seen[-1], Finished) and seen[-1].result.answer == "Oslo"
    assert stored_rollouts(home) == [seen[-1].result.trace_id]


def test_a_waiting_stream_that_is_left_early(home: Path) -> None:
    gated = Gated()
    with load(home, gated.policy) as graph:
        for event in graph.stream(QUESTION):
            if isinstance(event, Hits):
                break
    assert {request.session for request in gated.engine.requests} == set(gated.engine.released)
    assert stored_rollouts(home) == []


# -- tools of MCP servers --------------------------------------------------------------------------------------------

WITH_OFFICE = """
extends: solver
tools:
  mcp:
    office: {{command: {python}, args: [{script}], tools: [add]}}
nodes:
  think: {{prompt: clerk}}
"""
CLERK = """---
description: A clerk who can add.
variables: {question: {type: string}}
output: {parser: tags, actions: [search, answer], calls: hermes}
---
{{ question }}
"""


async def test_mcp_tools_of_a_graph_from_any_loop(home: Path, tmp_path: Path) -> None:
    """The server's session lives in a loop of its own: calls come from this one and from the graph's thread."""
    file = tmp_path / "clerk.yaml"
    file.write_text(WITH_OFFICE.format(python=sys.executable, script=MCP_SERVER))
    (tmp_path / "clerk.md").write_text(CLERK)
    turns = ('<tool_call>{"name": "add", "arguments": {"a": 2, "b": 40}}</tool_call>', "<answer>42</answer>")
    settings = {"prompt_path": [tmp_path]}
    graph = load(home, text_policy(*turns, *turns, variant=""), graph=file, settings=settings)
    try:
        seen = await events(graph)
        replied = [event for event in seen if isinstance(event, ToolReplied)]
        assert [(event.tool, event.reply.strip(), event.error) for event in replied] == [("add", "42", None)]
        answer = await asyncio.to_thread(graph.invoke, QUESTION)
        assert answer.answer == "42" and answer.record.steps[0].calls[0].reply == "42"
    finally:
        graph.close()
