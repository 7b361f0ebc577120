"""Policies on the held-out questions: over the iterations as plots, and a row each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from tui.reading.evaluation import ArmProgress, ArmView, EvaluationView
from tui.reading.figures import Figure
from tui.text import cut, interval, rate
from tui.widgets.plot import COLOURS, MARKERS, Line, Plot

EMPTY = "no policy was evaluated yet"
BASE = "base"
ASIDE = 0.06  # iterations by which lines stand beside one another, so that their intervals do not cover each other
ARM = 28  # cells


class CurvePanel(Vertical):
    """One figure over the iterations, a line for each algorithm and temperature; all begin at the base policy."""

    def __init__(self, title: str, figure: Callable[[ArmView], Figure | None]) -> None:
        super().__init__()
        self._named, self._figure = title, figure
        self._arms: Sequence[ArmView] = ()
        self._caption, self._plot = Static(), Plot()

    def compose(self) -> ComposeResult:
        yield self._caption
        yield self._plot

    def show(self, arms: Sequence[ArmView]) -> None:
        self._arms = arms
        self._plot.show(evaluation_lines(arms, self._figure))
        self._write_caption()

    def on_resize(self) -> None:
        self._write_caption()

    def _write_caption(self) -> None:
        """Names with their signs, in as many lines as they need; no sign ends a line without its name."""
        arms = self._arms
        text = Text(self._named.replace("k", arms[-1].k) if arms else self._named, style="bold", no_wrap=True)
        room = self.size.width - text.cell_len
        for place, line in enumerate(evaluation_lines(arms, self._figure)):
            sign = MARKERS[place % len(MARKERS)]
            wanted = cell_len(f"  {sign} {line.label}")
            text.append("  " if wanted <= room else "\n")
            room = (room if wanted <= room else self.size.width) - wanted
            text.append(sign, self.app.theme_variables[COLOURS[place % len(COLOURS)]])
            text.append(f" {line.label}", "none")
        self._caption.update(text)


class EvaluationPanel(Vertical):
    """pass@1 and max@k with their 95% intervals, and searches a rollout."""

    _shown: EvaluationView | None = None

    def compose(self) -> ComposeResult:
        with Horizontal(id="curves"):
            yield CurvePanel("pass@1", lambda arm: arm.pass_at_1)
            yield CurvePanel("max@k", lambda arm: arm.max_at_k)
        yield Static(id="arms")

    def on_mount(self) -> None:
        self.border_title = "held-out questions: mean (95% interval)"

    def show(self, evaluation: EvaluationView) -> None:
        if evaluation == self._shown:
            return
        self._shown = evaluation
        empty = not evaluation.arms and not evaluation.under_way
        self.query_one("#arms", Static).update(EMPTY if empty else evaluation_table(evaluation))
        # One iteration is a point: the table says it better.
        self.query_one("#curves").display = any(arm.iteration for arm in evaluation.arms)
        for panel in self.query(CurvePanel):
            panel.show(evaluation.arms)


def evaluation_lines(arms: Sequence[ArmView], figure: Callable[[ArmView], Figure | None]) -> list[Line]:
    """In the order in which they were first evaluated. The base policy is where each line of its temperature begins."""
    names = list(dict.fromkeys(arm.line for arm in arms if arm.iteration))
    names = names or list(dict.fromkeys(arm.line for arm in arms))
    return [_line(name, arms, figure, shift=place * ASIDE) for place, name in enumerate(names)]


def _line(name: str, arms: Sequence[ArmView], figure: Callable[[ArmView], Figure | None], *, shift: float) -> Line:
    start = name.replace(name.split(" ")[0], BASE, 1)
    own = [arm for arm in arms if arm.line == name or (arm.line == start and not arm.iteration)]
    known = [(arm.iteration + shift, found) for arm in own if (found := figure(arm)) is not None]
    return Line(
        name,
        tuple((at, found.mean) for at, found in known),
        tuple((found.low, found.high) for _, found in known),
    )


def evaluation_table(evaluation: EvaluationView) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("arm", no_wrap=True)
    k = evaluation.arms[-1].k if evaluation.arms else "k"
    for name in ("T", "pass@1", f"max@{k}", "searches"):
        table.add_column(name, justify="right", no_wrap=True)
    for arm in evaluation.arms:
        searches = f"{arm.searches.mean:.2f}" if arm.searches else ""
        figures = (interval(arm.pass_at_1), interval(arm.max_at_k), searches)
        table.add_row(Text(cut(arm.arm, ARM)), f"{arm.temperature:g}", *figures)
    for arm in evaluation.under_way:
        table.add_row(Text(cut(arm.arm, ARM)), "", _so_far(arm), "", "")
    return table


def _so_far(arm: ArmProgress) -> str:
    judged = f", reward {rate(arm.reward)}" if arm.reward is not None else ""
    return f"{arm.rollouts:,} rollouts{judged}"
