"""How far the stages of a run are: a line each, the ones under way first."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.reactive import reactive
from textual.widget import Widget

from tui.reading.stages import StageView
from tui.text import bar, cut, duration

MOST = 5
TITLE = 34
BAR = 40
NARROWEST = 6  # cells of a bar
EMPTY = "no stage has said how far it is; l shows the run's log"


class StagesPanel(Widget):
    stages: reactive[Sequence[StageView]] = reactive[Sequence[StageView]]((), layout=True)

    def on_mount(self) -> None:
        self.border_title = "stages"

    def render(self) -> Text:
        return Text("\n".join(stage_lines(self.stages, width=self.size.width)))


def stage_lines(stages: Sequence[StageView], *, width: int) -> list[str]:
    """At most `MOST` lines of at most `width` cells: titles are cut, and what is still too long ends in an ellipsis."""
    if not stages:
        return [EMPTY]
    shown = stages[:MOST]
    figures = _aligned([(_counts(stage), _share(stage), _rate(stage)) for stage in shown])
    ends = [_end(stage) for stage in shown]
    taken = len(figures[0]) + max(map(len, ends)) + 4
    title = max(10, min(max(len(stage.title) for stage in shown), TITLE, width - taken - NARROWEST))
    bars = max(NARROWEST, min(BAR, width - title - taken))
    lines = [
        f"{cut(stage.title, title):<{title}} {bar(stage.done, full=stage.total, width=bars):<{bars}} {numbers}  {end}"
        for stage, numbers, end in zip(shown, figures, ends, strict=True)
    ]
    return [cut(_noted(line.rstrip(), stage, width), width) for line, stage in zip(lines, shown, strict=True)]


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows]


def _counts(stage: StageView) -> str:
    return f"{stage.done:,}/{stage.total:,}"


def _share(stage: StageView) -> str:
    return f"{stage.done / stage.total:.0%}" if stage.total else ""


def _rate(stage: StageView) -> str:
    return f"{stage.rate:,.1f}/s" if stage.rate is not None else ""


def _end(stage: StageView) -> str:
    if stage.over:
        return "done" if stage.done >= stage.total else "ended"
    return f"{duration(stage.left)} left" if stage.left is not None else ""


def _noted(line: str, stage: StageView, width: int) -> str:
    """What the stage says of itself, where there is room for all of it."""
    noted = f"{line}  {stage.note}"
    return noted if stage.note and not stage.over and len(noted) <= width else line
