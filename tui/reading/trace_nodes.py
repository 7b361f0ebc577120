"""A rollout as a tree: what was asked, its steps, its answer, what judges said, why it failed."""

from __future__ import annotations

from collections.abc import Iterator

from store.types import RolloutRecord, RolloutStatus
from tui.reading.trace import TraceView, Verdict
from tui.reading.trace_steps import TraceNode, hit_nodes, step_nodes
from tui.text import local_time, rate


def trace_nodes(view: TraceView) -> list[TraceNode]:
    return [
        TraceNode(f"rollout {view.place.rollout_id}: {view.record.key}", facts_text(view)),
        *_asked(view),
        *step_nodes(view),
        *_ended(view),
        *(_verdict_node(verdict, view) for verdict in view.verdicts),
        *_attempts(view),
    ]


def facts_text(view: TraceView) -> str:
    """All that is known of the rollout beside its text, a line each."""
    found = [(name, value) for name, value in facts(view) if value]
    room = max(len(name) for name, _ in found)
    return "\n".join(f"{name:<{room}}  {value}" for name, value in found)


def facts(view: TraceView) -> Iterator[tuple[str, str]]:
    place, record = view.place, view.record
    made = record.provenance
    yield "key", record.key
    yield "run", place.run or "none"
    yield "stage", f"{record.purpose}{f', iteration {place.iteration}' if place.run else ''}, attempt {place.attempt}"
    yield "arm", place.arm
    yield "state", str(record.status)
    yield "reward", rate(place.reward)
    yield "behaviour", place.behaviour.replace("_", " ")
    yield "graph", f"{made.graph} {made.graph_sha256}"
    for name, sha256 in made.prompt_sha256.items():
        yield f"prompt {name}", sha256
    yield "model", f"{made.model}, policy version {made.policy_version}"
    yield "temperature", f"{record.temperature:g}, seed {record.seed}"
    yield (
        "tokens",
        f"{place.prompt_tokens:,} read, {record.sampled_tokens:,} sampled, {record.discarded_tokens:,} dropped",
    )
    yield "segments", segments_text(view)
    yield "time", f"{record.seconds:.1f} s, began after {record.began:.1f} s, queued {record.queued:.1f} s"
    yield "stored", local_time(place.created_at)
    yield "trainable", "" if record.trainable else "no: its tokens are unknown or were selected"


def segments_text(view: TraceView) -> str:
    trained = sum(segment.trained for segment in view.segments)
    total = sum(segment.tokens for segment in view.segments)
    return f"{len(view.segments)} of {total:,} tokens, {trained:,} trained on" if view.segments else "none"


def _asked(view: TraceView) -> Iterator[TraceNode]:
    yield TraceNode(f"question: {view.record.question}", view.record.question)
    if view.task is not None:
        nuggets = [TraceNode(f"nugget: {nugget}", nugget) for nugget in view.task.nuggets]
        cited = hit_nodes(view.task.citations, view)
        label = f"reference answer: {view.task.answer}"
        yield TraceNode(label, "\n".join([view.task.answer, *view.task.nuggets]), [*nuggets, *cited])


def _ended(view: TraceView) -> Iterator[TraceNode]:
    record = view.record
    if record.status is RolloutStatus.FINISHED or record.answer:
        yield _answer_node(view)
    if record.failure is not None:
        traceback = [TraceNode("traceback", record.failure.traceback)] if record.failure.traceback else []
        text = "\n\n".join(filter(None, [record.failure.reason, record.failure.traceback]))
        yield TraceNode(f"{record.status}, {record.failure.kind}: {record.failure.reason}", text, traceback)


def _answer_node(view: TraceView) -> TraceNode:
    record = view.record
    confidence = f" (confidence {record.confidence:.2f})" if record.confidence is not None else ""
    cited = TraceNode("cites", "", hit_nodes(record.citations, view), opened=True)
    children = [
        *([TraceNode(f"explanation: {record.explanation}", record.explanation)] if record.explanation else []),
        *([cited] if record.citations else []),
    ]
    return TraceNode(f"answer{confidence}: {record.answer}", answer_text(record), children, opened=True)


def answer_text(record: RolloutRecord) -> str:
    return "\n\n".join(filter(None, [record.answer, record.explanation]))


def _verdict_node(verdict: Verdict, view: TraceView) -> TraceNode:
    task = view.task
    nuggets = (task.nuggets or [task.answer]) if task is not None else []
    # Labels of another judge's list of nuggets cannot be put beside these.
    named = zip(verdict.labels, nuggets, strict=True) if len(nuggets) == len(verdict.labels) else ()
    children = [TraceNode(f"{label.replace('_', ' ')}: {nugget}", nugget) for label, nugget in named]
    children = children or [TraceNode(label.replace("_", " "), label) for label in verdict.labels]
    # A rule's reason begins with its own name.
    reason = verdict.reason.removeprefix(f"{verdict.judge}: ")
    label = f"{verdict.kind} {rate(verdict.score)} by {verdict.judge}: {reason}"
    return TraceNode(label, "\n".join([label, *(child.label for child in children)]), children, opened=True)


def _attempts(view: TraceView) -> Iterator[TraceNode]:
    if view.attempts:
        children = [_attempt_node(number, attempt) for number, attempt in enumerate(view.attempts, start=1)]
        label = f"combines {len(children)} attempts (Enter opens one)"
        yield TraceNode(label, "\n".join(child.label for child in children), children, opened=True)


def _attempt_node(number: int, attempt: RolloutRecord) -> TraceNode:
    ended = attempt.answer or (attempt.failure.reason if attempt.failure else str(attempt.status))
    text = f"{number} {attempt.status}, {attempt.searches} searches, {attempt.seconds:.1f} s: {ended}"
    return TraceNode(text, answer_text(attempt) or text, attempt=attempt.key)
