"""Where the questions of each iteration went: stages down, iterations across, a number and a bar each."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.reactive import reactive
from textual.widget import Widget

from tui.reading.questions import IterationView
from tui.text import bar, cut, duration

LABEL = 14
NARROWEST = 20  # cells of an iteration: "2 solve 12 min 4 s"
WIDEST = 60
EMPTY = "no iteration yet: the base policy is evaluated first"


class FunnelPanel(Widget):
    """Grows with its lines; where not all iterations fit, the newest are shown."""

    iterations: reactive[Sequence[IterationView]] = reactive[Sequence[IterationView]]((), layout=True)

    def on_mount(self) -> None:
        self.border_title = "questions"

    def render(self) -> Text:
        return Text("\n".join(funnel_lines(self.iterations, width=self.size.width)))


def funnel_lines(iterations: Sequence[IterationView], *, width: int) -> list[str]:
    """A line of headings and a line a stage, each at most `width` cells."""
    if not iterations:
        return [EMPTY]
    room = max(1, (width - LABEL) // NARROWEST)
    shown = iterations[-room:]
    cell = min(WIDEST, max(NARROWEST, (width - LABEL) // len(shown)))
    most = max(max(view.counts.values()) for view in shown)
    heading = f"{'iteration':<{LABEL}}" + "".join(f"{cut(_heading(view), cell - 1):<{cell}}" for view in shown)
    stages = [
        f"{stage.replace('_', ' '):<{LABEL}}"
        + "".join(_cell(view.counts[stage], most=most, width=cell) for view in shown)
        for stage in shown[-1].counts
    ]
    return [line.rstrip() for line in (heading, *stages)]


def _heading(view: IterationView) -> str:
    return f"{view.number} {'done' if view.done else view.stage} {duration(view.seconds)}"


def _cell(count: int, *, most: int, width: int) -> str:
    digits = max(5, len(f"{most:,}"))
    # One scale for all iterations, so that their bars compare; two cells keep neighbours apart.
    return f"{count:>{digits},} {bar(count, full=most, width=width - digits - 3)}".ljust(width)
