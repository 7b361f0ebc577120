"""Graphs driven by a chat endpoint over a wire double: text tags and native calls, compression, budgets, failures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agents.judges import RuleJudge
from graphs.runner import GraphRunner
from graphs.state import RolloutInputs
from store import queries
from store.errors import UsageError
from store.queries import RolloutLinks
from store.session import Store
from store.types import FailureKind, Purpose, RolloutRecord, RolloutStatus, StepKind
from tests.graphs.chat_kit import policy, said
from tests.graphs.small import small_runner, small_spec
from tests.harness_kit import NOTES, ListSearcher
from tests.wire_double import Answer, Respond, server

ANSWER = "Falcon works there [2].\n<answer>oslo</answer>\n<confidence>80</confidence>"
NATIVE: dict[str, Any] = {"tools": {"search": {"k": 3, "max_chars": 240}, "announce": "template", "calls": "hermes"}}


def in_turn(*answers: Answer) -> Callable[[dict[str, Any]], Answer]:
    left = iter(answers)
    return lambda body: next(left)


async def solve(
    answer: Respond, *, graph: str = "solver", **changes: Any
) -> tuple[RolloutRecord, list[dict[str, Any]]]:
    async with server(answer) as (url, seen):
        opened = policy(url)
        runner = small_runner(graph, policy=opened, judge=RuleJudge(), **changes)
        record = await runner.run(
            RolloutInputs(question="where does mira work?"), key="r", purpose=Purpose.TRAIN, seed=1
        )
        await opened.engine.aclose()
    return record, seen


async def test_wire_double_a_rollout_over_messages() -> None:
    record, seen = await solve(
        in_turn(said("<search>mira</search>"), said("<search>falcon</search>"), said(ANSWER, usage=(300, 20)))
    )
    assert (record.status, record.answer, record.confidence) == (RolloutStatus.FINISHED, "oslo", 0.8)
    assert record.citations == [12] and not record.trainable and record.segments == []
    assert [step.kind for step in record.steps] == [StepKind.SEARCH, StepKind.SEARCH, StepKind.ANSWER]
    assert [(step.prompt_tokens, step.sampled_tokens) for step in record.steps] == [(100, 7), (100, 7), (300, 20)]
    assert record.sampled_tokens == 34 and record.provenance.model == "hosted"
    assert [message["role"] for message in seen[2]["messages"]] == ["user", "assistant", "user", "assistant", "user"]
    assert seen[2]["messages"][:3] == seen[1]["messages"]
    assert "tools" not in seen[0] and seen[0]["max_tokens"] == 96 and len({body["seed"] for body in seen}) == 3


async def test_wire_double_native_calls_where_the_graph_announces_its_tools_so(tmp_path: Path) -> None:
    answers = in_turn(
        said("", ("a", "search", '{"query": "mira"}'), ("b", "search", '{"query": "falcon"}')),
        said("", ("c", "look_up", "{}")),
        said(ANSWER),
    )
    record, seen = await native_solve(answers, tmp_path)
    assert record.answer == "oslo" and record.citations == [12]
    (tool,) = seen[0]["tools"]
    assert tool["function"]["name"] == "search" and tool["function"]["parameters"]["required"] == ["query"]
    sent = seen[-1]["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "tool", "tool", "assistant", "tool"]
    assert [m["tool_call_id"] for m in sent if m["role"] == "tool"] == ["a", "b", "c"]
    assert "mira leads falcon" in sent[2]["content"] and "falcon works in oslo" in sent[3]["content"]
    assert "there is no tool 'look_up'" in sent[5]["content"]
    assert [call.arguments for call in record.steps[0].calls] == [{"query": "mira"}, {"query": "falcon"}]


async def test_wire_double_native_calls_are_answered_first_by_their_ids_then_those_in_the_text(tmp_path: Path) -> None:
    written = '<tool_call>{"name": "search", "arguments": {"query": "orion"}}</tool_call>'
    answers = in_turn(
        said(
            f"<think>not {written}</think>{written} and <answer>",
            ("a", "search", '{"query": "what is </tool_call>: mira"}'),
            ("b", "look_up", "null"),
        ),
        said(ANSWER, ("c", "search", '{"query": "falcon"}')),
        said(ANSWER),
    )
    record, seen = await native_solve(answers, tmp_path)
    sent = seen[-1]["messages"]
    assert [(m["role"], m.get("tool_call_id")) for m in sent] == [
        ("user", None),
        ("assistant", None),
        ("tool", "a"),
        ("tool", "b"),
        ("user", None),
        ("assistant", None),
        ("tool", "c"),
    ]
    assert "mira leads falcon" in sent[2]["content"] and "there is no tool 'look_up'" in sent[3]["content"]
    assert "orion" in sent[4]["content"] and "falcon works in oslo" in sent[6]["content"]
    assert [(call.tool, call.arguments) for step in record.steps for call in step.calls] == [
        ("search", {"query": "what is </tool_call>: mira"}),
        ("look_up", {}),
        ("search", {"query": "orion"}),
        ("search", {"query": "falcon"}),
    ]
    assert record.answer == "oslo" and record.steps[0].text.count("<tool_call>") == 4


async def native_solve(answers: Respond, folder: Path) -> tuple[RolloutRecord, list[dict[str, Any]]]:
    """A solver whose endpoint is told of the tools."""
    (folder / "native.md").write_text(
        "---\ndescription: native calls\nversion: 1\nvariables:\n  question: {type: string, description: q}\n"
        "output: {parser: tags, actions: [answer], calls: auto}\n---\nAnswer: {{ question }}\n"
    )
    spec = small_spec("solver", **NATIVE, nodes={"think": {"kind": "policy", "prompt": "native"}})
    async with server(answers) as (url, seen):
        opened = policy(url)
        runner = GraphRunner(spec, policy=opened, searcher=ListSearcher(NOTES), prompt_path=[folder])
        record = await runner.run(RolloutInputs(question="where does mira work?"), key="r", purpose=Purpose.ASK, seed=1)
        await opened.engine.aclose()
    return record, seen


async def test_wire_double_compression_is_triggered_by_the_endpoints_count() -> None:
    plugins = [
        {"kind": "step_budget", "steps": 6},
        {"kind": "compression", "trigger_tokens": 900, "summary_tokens": 64},
    ]
    record, seen = await solve(
        in_turn(
            said("<search>mira</search>", usage=(200, 9)),
            said("<search>falcon</search>", usage=(950, 9)),
            said("<summary>mira leads falcon</summary>", usage=(1000, 11)),
            said(ANSWER),
        ),
        plugins=plugins,
    )
    assert [step.kind for step in record.steps] == [
        StepKind.SEARCH,
        StepKind.SEARCH,
        StepKind.COMPRESS,
        StepKind.ANSWER,
    ]
    assert len(seen[3]["messages"]) == 1 and "mira leads falcon" in seen[3]["messages"][0]["content"]
    assert seen[2]["max_tokens"] == 64 and record.answer == "oslo"


async def test_wire_double_token_budget_counts_the_endpoints_usage() -> None:
    plugins = [{"kind": "token_budget", "tokens": 50}]
    record, seen = await solve(lambda body: said("<search>mira</search>", usage=(90, 30)), plugins=plugins)
    assert record.status is RolloutStatus.UNFINISHED and record.failure is not None
    assert record.failure.kind is FailureKind.BUDGET and len(seen) <= 3


async def test_wire_double_a_full_context_is_the_policys_fault_and_a_dead_endpoint_is_not() -> None:
    async with server(lambda body: said("<search>mira</search>", usage=(8_000, 9))) as (url, seen):
        runner = small_runner("solver", policy=policy(url, context_tokens=8_005))
        full = await runner.run(RolloutInputs(question="q"), key="r", purpose=Purpose.ASK, seed=1)
    assert full.status is RolloutStatus.UNFINISHED and len(seen) == 1
    record = await runner.run(RolloutInputs(question="q"), key="r", purpose=Purpose.ASK, seed=1)
    assert record.status is RolloutStatus.FAILED and record.failure is not None
    assert record.failure.kind is FailureKind.ENGINE and "endpoint down" in record.failure.reason


async def test_wire_double_parallel_thinking_over_a_chat_endpoint() -> None:
    def answer(body: dict[str, Any]) -> Answer:
        return said(ANSWER if len(body["messages"]) > 1 else "<search>falcon</search>")

    record, seen = await solve(answer, graph="aggregator")
    assert record.answer == "oslo" and len(record.attempts) >= 2 and len(seen) >= 4
    assert not record.trainable and not any(attempt.trainable for attempt in record.attempts)


async def test_value_guided_search_is_refused_before_anything_runs() -> None:
    with pytest.raises(UsageError, match=r"key 'nodes\.think\.candidates'.*needs token ids.*hosted is behind a chat"):
        small_runner("value_guided_solver", policy=policy("http://127.0.0.1:9/v1"))


async def test_wire_double_the_row_keeps_the_text_and_says_that_it_is_not_trainable(tmp_path: Path) -> None:
    record, _ = await solve(in_turn(said("<search>mira</search>"), said(ANSWER)))
    store = Store.open(f"sqlite:///{tmp_path}/karl.db")
    with store.session() as session:
        (id_,) = queries.save_rollouts(session, [(record, RolloutLinks())])
        kept = queries.trace_record(queries.load_rollout(session, id_))
    store.close()
    assert not kept.trainable and kept.segments == [] and kept.answer == "oslo"
    assert [step.text for step in kept.steps] == ["<search>mira</search>", ANSWER]
