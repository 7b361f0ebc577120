"""Two rollouts step by step: beside one another where there is room, else one under the other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from store.types import RolloutStatus, StepRecord
from tui.excerpts import beginning
from tui.reading.trace import TraceView
from tui.reading.trace_steps import gold_of
from tui.text import rate, some

BRIEF = 240  # characters of a step's text, unless all of it is wanted


def comparison(first: TraceView, second: TraceView, *, wide: bool, full: bool) -> RenderableType:
    """Rows with a sign: = both did the same, ~ they did not."""
    rows = [(_facts(first), _facts(second), "")]
    rows += [_row(one, other, first, second, full=full) for one, other in _pairs(first, second)]
    rows += [(_end(first), _end(second), _sign(first.record.answer == second.record.answer))]
    titles = ["rollout", *(f"step {number}" for number in range(1, len(rows) - 1)), "end"]
    return _beside(titles, rows) if wide else _stacked(titles, rows)


def _pairs(first: TraceView, second: TraceView) -> Iterator[tuple[StepRecord | None, StepRecord | None]]:
    yield from zip_longest(first.record.steps, second.record.steps)


def _row(
    one: StepRecord | None, other: StepRecord | None, first: TraceView, second: TraceView, *, full: bool
) -> tuple[str, str, str]:
    return _step(one, first, full=full), _step(other, second, full=full), _sign(_did(one) == _did(other))


def _did(step: StepRecord | None) -> object:
    """What two steps are compared by: a search by its queries, anything else by its text."""
    return step and (step.kind, step.queries or step.text)


def _sign(same: bool) -> str:
    return "=" if same else "~"


def _step(step: StepRecord | None, view: TraceView, *, full: bool) -> str:
    if step is None:
        return ""
    # Of a question whose author cites nothing there is no gold to find.
    gold = f", {len({*step.hits} & {*gold_of(view)})} gold" if gold_of(view) else ""
    facts = f"{step.kind}, {step.prompt_tokens:,} tokens read, {step.sampled_tokens:,} sampled"
    found = f", {some(len(step.hits), 'hit')}{gold}" if step.queries else ""
    queries = [f'query "{query}"' for query in step.queries]
    text = step.text.strip()
    return "\n".join([facts + found, *queries, text if full else beginning(text, characters=BRIEF)])


def _facts(view: TraceView) -> str:
    place, record = view.place, view.record
    return (
        f"{place.rollout_id}  {record.key}\n{record.question}\n{place.run or 'no run'}: {record.purpose} "
        f"{place.iteration} {place.arm}\n{record.provenance.model} version {record.provenance.policy_version}, "
        f"T {record.temperature:g}"
    )


def _end(view: TraceView) -> str:
    record, place = view.record, view.place
    spent = f"{len(record.steps)} steps, {record.searches} searches, {record.sampled_tokens:,} tokens sampled"
    failure = f"{record.failure.kind}: {record.failure.reason}" if record.failure else ""
    verdicts = [f"{', '.join(verdict.labels)} by {verdict.judge}" for verdict in view.verdicts]
    state = str(record.status) if record.status is RolloutStatus.FINISHED else f"{record.status}, {failure}"
    reward = f"reward {rate(place.reward)}" if place.reward is not None else "not judged"
    return "\n".join(
        [record.answer or "no answer", f"{state}, {reward}", f"{spent}, {record.seconds:.1f} s", *verdicts]
    )


def _beside(titles: list[str], rows: list[tuple[str, str, str]]) -> RenderableType:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 1, 0), expand=True)
    table.add_column(no_wrap=True, width=10)
    table.add_column(ratio=1)
    table.add_column(ratio=1)
    for title, (one, other, sign) in zip(titles, rows, strict=True):
        table.add_row(Text(f"{sign or ' '} {title}", style="bold"), Text(one), Text(other))
    return table


def _stacked(titles: list[str], rows: list[tuple[str, str, str]]) -> RenderableType:
    parts: list[RenderableType] = []
    for title, (one, other, sign) in zip(titles, rows, strict=True):
        parts.append(Rule(Text(f"{sign} {title}".strip(), style="bold"), align="left", style="none"))
        parts += [_named("A", one), _named("B", other)]
    return Group(*parts)


def _named(letter: str, text: str) -> RenderableType:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0), expand=True)
    table.add_column(no_wrap=True, width=1)
    table.add_column(ratio=1)
    table.add_row(Text(letter, style="bold"), Text(text or "-"))
    return table
