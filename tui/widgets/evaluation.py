"""Policies on the held-out questions, a row each."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from textual.widgets import Static

from tui.reading.run import ArmView
from tui.text import interval


class EvaluationPanel(Static):
    """pass@1 and max@k with their 95% intervals, and searches a rollout."""

    def on_mount(self) -> None:
        self.border_title = "held-out questions: mean (95% interval)"

    def show(self, arms: Sequence[ArmView]) -> None:
        self.update(evaluation_table(arms) if arms else "no policy was evaluated yet")


def evaluation_table(arms: Sequence[ArmView]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("arm", no_wrap=True)
    for name in ("T", "pass@1", f"max@{arms[-1].k}", "searches"):
        table.add_column(name, justify="right", no_wrap=True)
    for arm in arms:
        searches = f"{arm.searches.mean:.2f}" if arm.searches else ""
        # Brackets in an arm's name would be markup in a plain string.
        table.add_row(
            arm.arm.replace("[", "\\["),
            f"{arm.temperature:g}",
            interval(arm.pass_at_1),
            interval(arm.max_at_k),
            searches,
        )
    return table
