"""The steps of a rollout as nodes of a tree: what the policy said, what it called, what came back."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from store.types import AlternativeRecord, StepKind, StepRecord, ToolCallRecord
from tui.reading.passages import Passage, passage_text
from tui.reading.trace import TraceView
from tui.text import some

GOLD, OTHER, GONE = "◆", "○", "?"
LEGEND = f"{GOLD} gold  {OTHER} other  {GONE} no longer in the corpus"
SEARCH = "search"


@dataclass(frozen=True, slots=True)
class TraceNode:
    """One line of the tree. text: in full, as it is shown beside the tree and copied; attempt: the key of a rollout
    that Enter opens; opened: its children are shown from the first."""

    label: str
    text: str = ""
    children: Sequence[TraceNode] = field(default=(), repr=False)
    chunk_id: int | None = None
    attempt: str = ""
    opened: bool = False


def step_nodes(view: TraceView) -> Iterator[TraceNode]:
    """One a step. A passage that an earlier step was shown is told to have been seen."""
    steps, seen = view.record.steps, set[int]()
    few = len(steps) <= 12
    for number, step in enumerate(steps, start=1):
        after = steps[number] if number < len(steps) else None
        yield TraceNode(
            label=f"{number} {_title(step, after, gold=gold_of(view), seen=seen)}",
            text=step.text,
            children=list(_parts(step, view, seen=frozenset(seen))),
            opened=few and step.kind is not StepKind.COMPRESS,
        )
        seen |= {*step.hits}


def gold_of(view: TraceView) -> Collection[int]:
    """The chunks that the question's author cites."""
    return frozenset(view.task.citations) if view.task else frozenset()


def _title(step: StepRecord, after: StepRecord | None, *, gold: Collection[int], seen: Collection[int]) -> str:
    if step.kind is StepKind.COMPRESS:
        return _compressed(step, after)
    facts = [f"{step.prompt_tokens:,} tokens read, {step.sampled_tokens:,} sampled"] if step.prompt_tokens else []
    facts += [f"{step.policy_seconds + step.tool_seconds:.1f} s"]
    if step.value is not None:
        facts.append(f"value {step.value:.3f}")
    found = _found(step, gold=gold, seen=seen)
    return f"{step.kind}: {'; '.join([*found, *facts])}"


def _found(step: StepRecord, *, gold: Collection[int], seen: Collection[int]) -> list[str]:
    """What its searches brought, in words."""
    errors = sum(call.error is not None for call in step.calls)
    told = [f"{errors} refused"] if errors else []
    if not step.queries:
        return told
    shown = set(step.hits)
    many = f"{len(step.queries)} queries, " if len(step.queries) > 1 else ""
    parts = [f"{many}{some(len(step.hits), 'hit')}", f"{len(shown & set(gold))} gold" if gold else ""]
    parts += [f"{len(shown & set(seen))} seen before" if shown & set(seen) else ""]
    return [", ".join(filter(None, parts)), *told]


def _compressed(step: StepRecord, after: StepRecord | None) -> str:
    """The history's size when it was read for the summary, and that of what the next turn reads in its place."""
    left = f"{after.prompt_tokens:,}" if after is not None else "nothing after it"
    return f"compress: {step.prompt_tokens:,} -> {left} tokens; summary of {step.sampled_tokens:,}"


def _parts(step: StepRecord, view: TraceView, *, seen: Collection[int]) -> Iterator[TraceNode]:
    if step.text.strip():
        kind = "summary" if step.kind is StepKind.COMPRESS else "says"
        yield TraceNode(f"{kind}: {step.text}", step.text)
    for call in step.calls or _old_call(step):
        yield _call_node(call, view, seen=seen)
    if step.alternatives:
        yield _alternatives_node(step.alternatives)


def _old_call(step: StepRecord) -> list[ToolCallRecord]:
    """Of a row from before calls were kept: its one query with all of its hits."""
    return [ToolCallRecord(SEARCH, {"query": query}, step.hits) for query in step.queries]


def _call_node(call: ToolCallRecord, view: TraceView, *, seen: Collection[int]) -> TraceNode:
    asked = str(call.arguments.get("query", "")) if call.tool == SEARCH else ""
    arguments = asked or json.dumps(call.arguments, ensure_ascii=False)
    label = f'query "{asked}"' if asked else f"{call.tool} {arguments}"
    outcome = some(len(call.hits), "hit") if call.tool == SEARCH else f"{len(call.reply):,} characters"
    told = f"refused: {call.error}" if call.error is not None else f"{outcome}, {call.seconds:.1f} s"
    children = [
        *hit_nodes(call.hits, view, seen=seen),
        *([TraceNode(f"reply: {call.reply}", call.reply)] if call.reply else []),
        *([TraceNode(f"error: {call.error}", call.error)] if call.error is not None else []),
    ]
    text = "\n".join(filter(None, [f"{call.tool} {arguments}", call.reply, f"error: {call.error}" * bool(call.error)]))
    return TraceNode(f"{label}: {told}", text, children, opened=len(children) <= 12)


def hit_nodes(hits: Sequence[int], view: TraceView, *, seen: Collection[int] = ()) -> list[TraceNode]:
    """Passages in the order of their ranks."""
    gold = gold_of(view)
    return [_hit_node(rank, id_, view.passages.get(id_), id_ in gold, id_ in seen) for rank, id_ in enumerate(hits, 1)]


def _hit_node(rank: int, chunk_id: int, passage: Passage | None, gold: bool, seen: bool) -> TraceNode:
    if passage is None:
        return TraceNode(f"{rank} {GONE} chunk {chunk_id}", f"chunk {chunk_id} is no longer in the corpus")
    again = ", seen before" if seen else ""
    title = f": {passage.title}" if passage.title else ""
    label = f"{rank} {GOLD if gold else OTHER} {passage.place}{again}{title}"
    return TraceNode(label, passage_text(passage), [TraceNode(passage.text, passage.text)], chunk_id=chunk_id)


def _alternatives_node(alternatives: Sequence[AlternativeRecord]) -> TraceNode:
    """The best first, whichever was kept."""
    named = next((one.value_function for one in alternatives if one.value_function), "")
    ordered = sorted(alternatives, key=lambda one: -one.value)
    children = [TraceNode(_valued(one), f"{_valued(one)}\n\n{one.sampled_tokens:,} tokens") for one in ordered]
    label = f"{len(alternatives)} alternatives{f' by {named}' if named else ''}"
    return TraceNode(label, "\n".join(map(_valued, ordered)), children, opened=True)


def _valued(one: AlternativeRecord) -> str:
    return f"{one.value:.3f} {'kept' if one.kept else 'not kept'}: {one.text}"
