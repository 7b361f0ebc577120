"""The facts of a rollout above its steps: three lines; the first line of the tree has all of them."""

from __future__ import annotations

from tui.excerpts import one_line
from tui.reading.trace import TraceView
from tui.reading.trace_nodes import segments_text
from tui.text import local_time, rate

HASH = 8  # characters of a hash


def header_text(view: TraceView, *, width: int) -> str:
    return "\n".join(one_line(line, width) for line in _lines(view))


def _lines(view: TraceView) -> list[str]:
    place, record = view.place, view.record
    made = record.provenance
    outcome = [str(record.status), f"reward {rate(place.reward)}" if place.reward is not None else "not judged"]
    outcome += [place.behaviour.replace("_", " ")] if place.behaviour else []
    number = f" {place.iteration}" if place.run else ""
    stage = f"{record.purpose}{number}{f' {place.arm}' if place.arm else ''}, attempt {place.attempt}"
    searches = "1 search" if record.searches == 1 else f"{record.searches} searches"
    waited = f" after {record.queued:.1f} s waiting" if record.queued else ""
    prompts = " ".join(f"{name}@{sha256[:HASH]}" for name, sha256 in made.prompt_sha256.items())
    return [
        f"{', '.join(outcome)} | {place.run or 'no run'}: {stage}",
        f"{made.model} version {made.policy_version}, T {record.temperature:g}, seed {record.seed} | graph "
        f"{made.graph}@{made.graph_sha256[:HASH]} | prompts {prompts}",
        f"{searches}, {record.seconds:.1f} s{waited}, {place.prompt_tokens:,} tokens read, "
        f"{record.sampled_tokens:,} sampled | stored {local_time(place.created_at)} | segments: {segments_text(view)}",
    ]
