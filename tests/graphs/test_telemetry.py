"""Spans of rollouts, read back from OpenTelemetry's in-memory exporter."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from graphs.runner import GraphRunner
from graphs.state import RolloutInputs
from graphs.telemetry import RolloutSpans
from store.types import (
    AlternativeRecord,
    Failure,
    FailureKind,
    Provenance,
    Purpose,
    Role,
    RolloutRecord,
    RolloutStatus,
    StepKind,
    StepRecord,
    ToolCallRecord,
)
from tests.graphs.small import small_spec
from tests.harness_kit import NOTES, ListSearcher, scripted_policy

MS = 1_000_000
STAMP = Provenance("solver", "ab" * 32, {"solver": "cd" * 32}, "karl-tiny", 3)
SEARCH = StepRecord(
    StepKind.SEARCH, "<search>falcon</search>", "falcon", [11, 12], 40, 6, policy_seconds=0.2, tool_seconds=0.05
)
TOOLS = StepRecord(
    StepKind.TOOL,
    "two calls",
    prompt_tokens=90,
    sampled_tokens=20,
    policy_seconds=0.1,
    calls=[
        ToolCallRecord("search", {"query": "oslo"}, [12], seconds=0.03),
        ToolCallRecord("add", {"a": 1}, error="add: 'b' is missing", seconds=0.01),
    ],
)
ANSWER = StepRecord(
    StepKind.ANSWER,
    "<answer>mira</answer>",
    prompt_tokens=130,
    sampled_tokens=8,
    policy_seconds=0.3,
    alternatives=[AlternativeRecord("<answer>mira</answer>", 0.9, True, 8), AlternativeRecord("hm", 0.1, False, 5)],
    value=0.9,
)


def rollout(**changes: object) -> RolloutRecord:
    record = RolloutRecord(
        key="ask/1",
        role=Role.SOLVER,
        purpose=Purpose.ASK,
        status=RolloutStatus.FINISHED,
        provenance=STAMP,
        question="who leads falcon?",
        answer="mira",
        confidence=0.8,
        citations=[11],
        steps=[SEARCH, TOOLS, ANSWER],
        temperature=0.5,
        seed=7,
        seconds=1.0,
    )
    return replace(record, **changes)


class Traced:
    """An exporter in memory, and what it was given by span name."""

    def __init__(self, *, capture_content: bool = False, sampler: object = None) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(**({"sampler": sampler} if sampler else {}))
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("test")
        self.spans = RolloutSpans(self.tracer, capture_content=capture_content)

    def named(self, name: str) -> list[ReadableSpan]:
        found = [span for span in self.exporter.get_finished_spans() if span.name == name]
        return sorted(found, key=lambda span: span.start_time or 0)


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


def milliseconds(span: ReadableSpan, since: ReadableSpan) -> tuple[int, int]:
    assert span.start_time is not None and span.end_time is not None and since.start_time is not None
    return round((span.start_time - since.start_time) / MS), round((span.end_time - since.start_time) / MS)


def test_tree_names_and_times() -> None:
    traced = Traced()
    traced.spans(rollout())
    (agent,) = traced.named("invoke_agent solver")
    chats, searches, adds = (traced.named(n) for n in ("chat karl-tiny", "execute_tool search", "execute_tool add"))
    assert len(traced.exporter.get_finished_spans()) == 7
    assert agent.parent is None and agent.kind is SpanKind.INTERNAL and chats[0].kind is SpanKind.CLIENT
    assert agent.context is not None
    parents = {span.parent.span_id for span in [*chats, *searches, *adds] if span.parent}
    assert parents == {agent.context.span_id}
    assert milliseconds(agent, agent) == (0, 1000)
    assert [milliseconds(span, agent) for span in chats] == [(0, 200), (250, 350), (380, 680)]
    # The two calls of one turn run side by side.
    assert [milliseconds(span, agent) for span in searches] == [(200, 250), (350, 380)]
    assert [milliseconds(span, agent) for span in adds] == [(350, 360)]


def test_attributes_without_content() -> None:
    traced = Traced()
    traced.spans(rollout())
    agent = attributes(traced.named("invoke_agent solver")[0])
    assert agent["gen_ai.operation.name"] == "invoke_agent" and agent["gen_ai.agent.name"] == "solver"
    assert (agent["gen_ai.usage.input_tokens"], agent["gen_ai.usage.output_tokens"]) == (260, 39)
    assert (agent["karl.rollout.key"], agent["karl.policy.version"]) == ("ask/1", 3)
    assert agent["karl.graph.sha256"] == "ab" * 32 and agent["karl.prompt.sha256"] == ("solver=" + "cd" * 32,)
    assert agent["karl.rollout.citations"] == (11,)
    first, _, last = (attributes(span) for span in traced.named("chat karl-tiny"))
    assert (first["gen_ai.request.model"], first["gen_ai.request.temperature"]) == ("karl-tiny", 0.5)
    assert (first["gen_ai.usage.input_tokens"], first["gen_ai.usage.output_tokens"]) == (40, 6)
    assert "gen_ai.request.choice.count" not in first
    assert (last["gen_ai.request.choice.count"], last["karl.step.value"]) == (2, 0.9)
    assert last["gen_ai.usage.output_tokens"] == 13  # the candidate that lost was sampled too
    search = attributes(traced.named("execute_tool search")[0])
    assert (search["gen_ai.tool.name"], search["gen_ai.tool.type"]) == ("search", "datastore")
    assert search["gen_ai.tool.call.id"] == "ask/1/0/0" and search["karl.hits"] == (11, 12)
    text = " ".join(span.to_json() for span in traced.exporter.get_finished_spans())
    assert not [word for word in ("falcon", "mira", "oslo", "'b' is missing") if word in text]


def test_content_goes_along_on_demand() -> None:
    traced = Traced(capture_content=True)
    traced.spans(rollout())
    agent = attributes(traced.named("invoke_agent solver")[0])
    assert json.loads(str(agent["gen_ai.input.messages"])) == [
        {"role": "user", "parts": [{"type": "text", "content": "who leads falcon?"}]}
    ]
    assert json.loads(str(agent["gen_ai.output.messages"]))[0]["parts"][0]["content"] == "mira"
    chat = attributes(traced.named("chat karl-tiny")[0])
    assert json.loads(str(chat["gen_ai.output.messages"]))[0]["finish_reason"] == "tool_call"
    search = attributes(traced.named("execute_tool search")[0])
    assert json.loads(str(search["gen_ai.tool.call.arguments"])) == {"query": "falcon"}
    assert traced.named("execute_tool add")[0].status.description == "add: 'b' is missing"


def test_errors() -> None:
    traced = Traced()
    failure = Failure(FailureKind.ENGINE, "engine x: falcon")
    traced.spans(rollout(status=RolloutStatus.FAILED, failure=failure, answer="", confidence=None))
    agent = traced.named("invoke_agent solver")[0]
    assert agent.status.status_code is StatusCode.ERROR and agent.status.description is None
    assert attributes(agent)["error.type"] == "engine" and "karl.rollout.confidence" not in attributes(agent)
    add = traced.named("execute_tool add")[0]
    assert add.status.status_code is StatusCode.ERROR and attributes(add)["error.type"] == "tool_error"
    assert traced.named("execute_tool search")[0].status.status_code is StatusCode.UNSET


def test_chats_after_a_compression_are_marked() -> None:
    traced = Traced()
    squeezed = StepRecord(StepKind.COMPRESS, "notes", policy_seconds=0.1)
    traced.spans(rollout(steps=[SEARCH, squeezed, ANSWER]))
    marks = [attributes(span)["gen_ai.conversation.compacted"] for span in traced.named("chat karl-tiny")]
    assert marks == [False, False, True]


def test_attempts_are_agents_inside() -> None:
    traced = Traced()
    attempts = [rollout(key=f"ask/1/solver-{n}", seconds=0.4 + n / 10) for n in range(2)]
    outer = replace(STAMP, graph="aggregator")
    traced.spans(rollout(provenance=outer, attempts=attempts, steps=[ANSWER]))
    (agent,) = traced.named("invoke_agent aggregator")
    inner = traced.named("invoke_agent solver")
    assert agent.context is not None
    assert [span.parent.span_id for span in inner if span.parent] == [agent.context.span_id] * 2
    assert {milliseconds(span, agent) for span in inner} == {(0, 400), (0, 500)}
    own = [s for s in traced.named("chat karl-tiny") if s.parent and s.parent.span_id == agent.context.span_id]
    assert [milliseconds(span, agent) for span in own] == [(500, 800)]


def test_an_attempt_that_waited_starts_where_it_began() -> None:
    traced = Traced()
    first, second = rollout(key="a/0", seconds=0.4, began=0.1), rollout(key="a/1", seconds=0.2, queued=0.4, began=0.5)
    outer = replace(STAMP, graph="aggregator")
    traced.spans(rollout(provenance=outer, attempts=[first, second], steps=[ANSWER]))
    (agent,) = traced.named("invoke_agent aggregator")
    inner = traced.named("invoke_agent solver")
    assert [milliseconds(span, agent) for span in inner] == [(100, 500), (500, 700)]
    assert [attributes(span).get("karl.rollout.queued") for span in inner] == [None, 0.4]
    assert agent.context is not None
    own = [s for s in traced.named("chat karl-tiny") if s.parent and s.parent.span_id == agent.context.span_id]
    assert [milliseconds(span, agent) for span in own] == [(700, 1000)]


@pytest.mark.parametrize("sampled", [True, False])
def test_the_callers_span_is_the_parent(sampled: bool) -> None:
    traced = Traced(sampler=None if sampled else ALWAYS_OFF)
    with traced.tracer.start_as_current_span("request") as request:
        traced.spans(rollout())
    if sampled:
        (agent,) = traced.named("invoke_agent solver")
        assert agent.parent is not None and agent.parent.span_id == request.get_span_context().span_id
    else:
        assert traced.exporter.get_finished_spans() == ()


async def test_a_runner_traces_every_rollout_once() -> None:
    traced = Traced()
    policy = scripted_policy(lambda _: "<answer>mira</answer>")
    shared = {"policy": policy, "searcher": ListSearcher(NOTES)}
    solver, outer = small_spec("solver"), small_spec("aggregator")
    node = next(node for node in outer.nodes.values() if node.kind == "parallel")
    runner = GraphRunner(outer, runners={node.runner: GraphRunner(solver, **shared)}, trace=traced.spans, **shared)
    record = await runner.run(RolloutInputs(question="who?"), key="ask/9", purpose=Purpose.ASK, seed=1)
    assert record.status is RolloutStatus.FINISHED and len(record.attempts) == node.runs
    (agent,) = traced.named("invoke_agent aggregator")
    assert attributes(agent)["karl.rollout.key"] == "ask/9"
    assert len(traced.named("invoke_agent solver")) == node.runs
    assert len(traced.named("chat scripted-test")) == node.runs + len(record.steps)
