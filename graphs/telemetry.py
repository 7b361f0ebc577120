"""A finished rollout as OpenTelemetry spans, by the semantic conventions for generative AI.

`invoke_agent <graph>` holds one `chat <model>` span per turn and one `execute_tool <tool>` span per call; attempts of
a parallel graph are `invoke_agent` spans inside. The spans are built when the rollout is over: sampling pays nothing.
Names: https://github.com/open-telemetry/semantic-conventions-genai (2026-11); what they lack is called `karl.*`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping

from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.util.types import AttributeValue

from store.types import Failure, RolloutRecord, StepKind, StepRecord, ToolCallRecord

PROVIDER = "karl"
SEARCH = "search"  # the corpus' own tool, by the name that calls of it are recorded under
Attributes = Mapping[str, AttributeValue | None]


class RolloutSpans:
    """Call it with every rollout that nobody else holds as an attempt; within a caller's span it continues that trace.

    `capture_content`: questions, turns, tool arguments and answers go along; without it no text leaves the process.
    """

    def __init__(self, tracer: Tracer, *, capture_content: bool = False) -> None:
        self._tracer = tracer
        self._capture = capture_content

    def __call__(self, record: RolloutRecord) -> None:
        self._agent(record, time.time_ns() - _ns(record.seconds), parent=None)

    def _agent(self, record: RolloutRecord, start: int, *, parent: Span | None) -> None:
        attributes = {**_agent_attributes(record), **(_agent_content(record) if self._capture else {})}
        name = f"invoke_agent {record.provenance.graph}"
        span = self._start(name, start, attributes, kind=SpanKind.INTERNAL, parent=parent)
        if span.is_recording():
            for attempt in record.attempts:
                self._agent(attempt, start + _ns(attempt.began), parent=span)
            ends = (_ns(attempt.began + attempt.seconds) for attempt in record.attempts)
            self._steps(record, start + max(ends, default=0), span)
            if record.failure is not None:
                self._fail(span, record.failure)
        span.end(start + _ns(record.seconds))

    def _steps(self, record: RolloutRecord, start: int, parent: Span) -> None:
        """One after the other; what the harness took between them is left over at the end."""
        compacted = False
        for index, step in enumerate(record.steps):
            chat_end = start + _ns(step.policy_seconds)
            attributes = {**_chat_attributes(record, step, compacted), **(_chat_content(step) if self._capture else {})}
            name = f"chat {record.provenance.model}"
            self._start(name, start, attributes, kind=SpanKind.CLIENT, parent=parent).end(chat_end)
            compacted = compacted or step.kind is StepKind.COMPRESS
            start = chat_end
            for number, call in enumerate(_calls(step)):
                start = max(start, self._tool(call, f"{record.key}/{index}/{number}", chat_end, parent))

    def _tool(self, call: ToolCallRecord, call_id: str, start: int, parent: Span) -> int:
        attributes: Attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": call.tool,
            "gen_ai.tool.type": "datastore" if call.tool == SEARCH else "function",
            "gen_ai.tool.call.id": call_id,
            "karl.hits": call.hits,
            **(_tool_content(call) if self._capture else {}),
        }
        name = f"execute_tool {call.tool}"
        span = self._start(name, start, attributes, kind=SpanKind.INTERNAL, parent=parent)
        if call.error is not None:
            span.set_attribute("error.type", "tool_error")
            span.set_status(Status(StatusCode.ERROR, call.error if self._capture else None))
        end = start + _ns(call.seconds)
        span.end(end)
        return end

    def _start(self, name: str, start: int, attributes: Attributes, *, kind: SpanKind, parent: Span | None) -> Span:
        context = None if parent is None else set_span_in_context(parent)
        given = {key: value for key, value in attributes.items() if value is not None}
        return self._tracer.start_span(name, context, kind=kind, attributes=given, start_time=start)

    def _fail(self, span: Span, failure: Failure) -> None:
        # A reason may quote a query or a document: it is content.
        span.set_attribute("error.type", str(failure.kind))
        span.set_status(Status(StatusCode.ERROR, failure.reason if self._capture else None))


def _agent_attributes(record: RolloutRecord) -> Attributes:
    stamp = record.provenance
    return {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": PROVIDER,
        "gen_ai.agent.name": stamp.graph,
        "gen_ai.agent.version": stamp.graph_sha256[:12],
        "gen_ai.conversation.id": record.key,
        "gen_ai.request.model": stamp.model,
        "gen_ai.request.temperature": record.temperature,
        "gen_ai.request.seed": record.seed,
        "gen_ai.usage.input_tokens": sum(step.prompt_tokens for step in record.steps),
        "gen_ai.usage.output_tokens": sum(_output_tokens(step) for step in record.steps),
        "karl.rollout.key": record.key,
        "karl.rollout.role": str(record.role),
        "karl.rollout.purpose": str(record.purpose),
        "karl.rollout.status": str(record.status),
        "karl.rollout.searches": record.searches,
        "karl.rollout.queued": record.queued or None,
        "karl.rollout.confidence": record.confidence,
        "karl.rollout.citations": record.citations,
        "karl.rollout.trainable": record.trainable,
        "karl.graph.sha256": stamp.graph_sha256,
        "karl.prompt.sha256": [f"{name}={sha256}" for name, sha256 in sorted(stamp.prompt_sha256.items())],
        "karl.policy.version": stamp.policy_version,
    }


def _chat_attributes(record: RolloutRecord, step: StepRecord, compacted: bool) -> Attributes:
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": PROVIDER,
        "gen_ai.conversation.id": record.key,
        "gen_ai.conversation.compacted": compacted,
        "gen_ai.request.model": record.provenance.model,
        "gen_ai.request.temperature": record.temperature,
        "gen_ai.request.choice.count": len(step.alternatives) or None,
        "gen_ai.output.type": "text",
        "gen_ai.usage.input_tokens": step.prompt_tokens,
        "gen_ai.usage.output_tokens": _output_tokens(step),
        "karl.step.kind": str(step.kind),
        "karl.step.value": step.value,
    }


def _agent_content(record: RolloutRecord) -> Attributes:
    answer = _message("assistant", record.answer, finish_reason="stop") if record.answer else None
    return {"gen_ai.input.messages": _message("user", record.question), "gen_ai.output.messages": answer}


def _chat_content(step: StepRecord) -> Attributes:
    reason = "tool_call" if step.kind in (StepKind.SEARCH, StepKind.TOOL) else "stop"
    return {"gen_ai.output.messages": _message("assistant", step.text, finish_reason=reason)}


def _tool_content(call: ToolCallRecord) -> Attributes:
    return {
        "gen_ai.tool.call.arguments": json.dumps(call.arguments, ensure_ascii=False),
        "gen_ai.tool.call.result": call.reply or None,
    }


def _message(role: str, text: str, **more: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}], **more}], ensure_ascii=False)


def _calls(step: StepRecord) -> Iterator[ToolCallRecord]:
    """The step's calls; of rows that were written before calls were kept, their one search."""
    yield from step.calls
    if not step.calls and step.query is not None:
        yield ToolCallRecord(SEARCH, {"query": step.query}, step.hits, seconds=step.tool_seconds)


def _output_tokens(step: StepRecord) -> int:
    """All that was sampled, candidates that lost included."""
    return sum(candidate.sampled_tokens for candidate in step.alternatives) or step.sampled_tokens


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
