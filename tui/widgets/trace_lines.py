"""What a rollout tells while it runs, as lines of a trace."""

from __future__ import annotations

from rich.text import Text

from karl.control.events import (
    Answered,
    AttemptFinished,
    Compressed,
    Event,
    Failed,
    Hits,
    Loading,
    NodeEntered,
    SearchStarted,
    ToolReplied,
)
from store.types import Hit
from tui.text import some

PASSAGES = 3  # of a search that are shown
CHARS = 160  # of a passage


def event_text(event: Event) -> Text | None:
    """None for what needs no line: tokens go on where the turn stands."""
    match event:
        case Loading(text=text):
            return Text(text, "dim")
        case NodeEntered(node=node):
            return Text(f"▶ {node}", "bold")
        case SearchStarted(query=query):
            return Text(f"search: {query}")
        case Hits(hits=hits, seconds=seconds):
            return _passages(hits, seconds)
        case ToolReplied(tool=tool, reply=reply, error=error) if error or tool != "search":
            return Text(f"{tool or 'reply'}: {f'! {error}' if error else reply}")
        case Compressed(summary=summary, tokens_before=before, tokens_after=after):
            return Text(f"history compressed: {before:,} > {after:,} tokens\n  {summary}")
        case AttemptFinished(finished=finished, total=total, answer=answer, failure=failure):
            return Text(f"attempt {finished} of {total}: {answer or (failure.reason if failure else 'no answer')}")
        case Answered():
            return _answer(event)
        case Failed(reason=reason, cancelled=cancelled):
            return Text("cancelled" if cancelled else f"✗ {no_answer(reason)}", "bold")
    return None


def no_answer(reason: str) -> str:
    """Some reasons begin with these words themselves."""
    return reason if reason.startswith("no answer") else f"no answer: {reason}"


def _passages(hits: tuple[Hit, ...], seconds: float) -> Text:
    text = Text(f"  {some(len(hits), 'passage')} in {seconds * 1000:.0f} ms")
    for hit in hits[:PASSAGES]:
        page = f", page {hit.page}" if hit.page else ""
        text.append(f"\n  {hit.key}{page}: ", "bold").append(" ".join(hit.text.split())[:CHARS])
    return text.append(f"\n  and {len(hits) - PASSAGES} more", "dim") if len(hits) > PASSAGES else text


def _answer(event: Answered) -> Text:
    sure = "" if event.confidence is None else f"  ({event.confidence:.0%} sure)"
    text = Text.assemble((f"answer: {event.answer}{sure}", "bold"))
    for cited in event.citations:
        text.append(f"\n  cites {cited.key}: ").append(" ".join(cited.text.split())[:CHARS])
    usage = event.usage
    searches = "1 search" if usage.searches == 1 else f"{usage.searches} searches"
    spent = f"\n{some(usage.turns, 'turn')}, {searches}, {some(usage.sampled_tokens, 'token')} sampled"
    return text.append(f"{spent}, {event.timings.total:.1f} s, {event.model}", "dim")
