"""What a filled-in run comes to: its command, what is wrong, its graphs, what it will make and spend."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll

from karl.control.estimate import Estimate
from karl.control.in_effect import BUILT_IN, StageGraph
from karl.control.preview import Preview
from tui.text import amount, duration
from tui.widgets.told import Told


class LaunchSummary(VerticalScroll):
    """Scrolls where not all of it fits."""

    def compose(self) -> ComposeResult:
        yield Told("nothing is filled in yet")

    def on_mount(self) -> None:
        self.border_title = "what it comes to (y copies the command)"

    def show(self, preview: Preview) -> None:
        parts = [part for part in (_command(preview), _problems(preview), _estimate(preview), _graphs(preview)) if part]
        self.query_one(Told).say(Text("\n\n").join(parts))


def _command(preview: Preview) -> Text | None:
    return Text(preview.command, style="bold") if preview.command else None


def _problems(preview: Preview) -> Text | None:
    if not preview.problems:
        note = f"ctrl+s goes on with run {preview.goes_on}, which has these settings and is not done"
        return Text(note if preview.goes_on else "ctrl+s starts it")
    told = [f"✗ {name.replace('_', ' ')}: {said}" if name else f"✗ {said}" for name, said in preview.problems.items()]
    return Text("\n".join(told), style="bold")


def _estimate(preview: Preview) -> Text | None:
    found = preview.estimate
    return Text("\n".join(_estimate_lines(found))) if found is not None else None


def _estimate_lines(found: Estimate) -> Iterator[str]:
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in found.rollouts.items())
    yield f"rollouts, at most  {found.total:,}: {kinds}"
    if found.read is not None and found.sampled is not None:
        yield f"tokens, about      {amount(found.read)} read, {amount(found.sampled)} sampled"
    elif found.sampled is not None:
        yield f"tokens, about      {amount(found.sampled)} sampled; those read are unknown"
    else:
        yield "tokens             unknown"
    yield f"time, about        {duration(found.seconds)}" if found.seconds is not None else "time               unknown"
    yield f"cost               {_cost(found)}"
    yield (
        f"tokens and time are reckoned from run {found.like} of this store"
        if found.like
        else f"no run of {found.model} in this store has finished an iteration yet: nothing to reckon them from"
    )


def _cost(found: Estimate) -> str:
    if found.usd is not None:
        return f"about {found.usd:,.2f} USD, without the judge's"
    if not found.priced:
        return f"unknown: no price of {found.model} in prices.toml here"
    return "unknown, as the tokens are"


def _graphs(preview: Preview) -> Text | None:
    if not preview.graphs:
        return None
    stages = max(len(one.stage) for one in preview.graphs)
    names = max(len(one.graph) for one in preview.graphs)
    return Text("\n".join(["graphs in effect", *(_graph(one, stages, names) for one in preview.graphs)]))


def _graph(one: StageGraph, stages: int, names: int) -> str:
    stage = f"{one.stage.replace('_', ' '):<{stages}}"
    if not one.graph:
        return f"  {stage}  runs no graph"
    source = one.source if one.source == BUILT_IN else f"your {one.source}"
    return f"  {stage}  {one.graph:<{names}}  {one.sha256[:12]}  {source}"
