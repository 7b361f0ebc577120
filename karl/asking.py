"""What `karl ask` prints: an answer as lines or as JSON, and its searches while they happen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphs.events import AttemptFinished, Compressed, Event, Hits, SearchStarted, ToolReplied
from karl.api.results import Answer, Citation, Finished

if TYPE_CHECKING:
    from karl.api.graph import Graph

Show = Callable[[str], None]


async def ask(graph: Graph, question: str, *, show: Show | None) -> Answer:
    """The answer, a failed one too; `show` gets a line for each thing that happens on the way."""
    if show is None:
        return await graph.ainvoke(question, on_failure="return")
    async for event in graph.astream(question, tokens=False):
        if isinstance(event, Finished):
            return event.result
        line = event_line(event)
        if line is not None:
            show(line)
    raise AssertionError("a stream ends with Finished")


def event_line(event: Event) -> str | None:
    """None for what a reader need not see."""
    match event:
        case SearchStarted(query=query):
            return f"search: {query}"
        case Hits(hits=hits, seconds=seconds):
            first = f", first {hits[0].key}" if hits else ""
            return f"  {len(hits)} passage{'' if len(hits) == 1 else 's'} in {seconds * 1000:.0f} ms{first}"
        case ToolReplied(tool=tool, error=error) if tool != "search" or error:
            # A turn that calls nothing has no tool to name.
            return f"{tool or 'reply'}: {error or 'replied'}"
        case Compressed(tokens_before=before, tokens_after=after):
            return f"history compressed: {before} > {after} tokens"
        case AttemptFinished(finished=finished, total=total, answer=answer, failure=failure):
            return f"attempt {finished} of {total}: {answer or (failure.reason if failure else 'no answer')}"
    return None


def answer_json(answer: Answer, *, checkpoint: Path | None) -> dict[str, Any]:
    """What `karl ask --json` prints."""
    record = answer.record
    return {
        "question": answer.question,
        "answer": answer.answer,
        "confidence": answer.confidence,
        "citations": [_citation(citation) for citation in answer.citations],
        "checkpoint": str(checkpoint) if checkpoint else None,
        "model": record.provenance.model,
        "searches": record.searches,
        "steps": [asdict(step) for step in record.steps],
        "failure": answer.failure.reason if answer.failure else None,
        "explanation": answer.explanation,
        "trace_id": answer.trace_id,
        "graph": record.provenance.graph,
        "provenance": asdict(answer.provenance),
        "usage": asdict(answer.usage),
        "timings": asdict(answer.timings),
        "attempts": [_attempt(attempt) for attempt in answer.attempts],
    }


def answer_lines(answer: Answer, *, checkpoint: Path | None, trace: bool) -> list[str]:
    out = [f"search: {query}" for step in answer.record.steps if trace for query in step.queries]
    if answer.answer:
        out.append(answer.answer)
    for citation in answer.citations:
        page = f" p.{citation.page}" if citation.page else ""
        out.append(f"  [{citation.chunk_id}] {citation.key}{page}: {' '.join(citation.text.split())[:160]}")
    attempts = f"{len(answer.attempts)} attempts, " if answer.attempts else ""
    answered_by = f"checkpoint {checkpoint}" if checkpoint else answer.record.provenance.model
    return [*out, f"({attempts}{answer.usage.searches} searches, {answered_by})"]


def _citation(citation: Citation) -> dict[str, Any]:
    return {
        "chunk": citation.chunk_id,
        "key": citation.key,
        "page": citation.page,
        "text": citation.text,
        "title": citation.title,
        "document": citation.document,
    }


def _attempt(attempt: Answer) -> dict[str, Any]:
    failure = attempt.failure.reason if attempt.failure else None
    return {
        "trace_id": attempt.trace_id,
        "answer": attempt.answer,
        "confidence": attempt.confidence,
        "failure": failure,
        "provenance": asdict(attempt.provenance),
    }
