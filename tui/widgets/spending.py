"""Tokens and cost so far, a row for each role and model."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text
from textual.widgets import Static

from tui.reading.spending import SpendingView
from tui.text import amount, cut

TITLE = "tokens and cost so far (without judges)"
EMPTY = "no rollout was written yet"
MODEL = 12  # cells


class SpendingPanel(Static):
    """What the policies' rollouts read and sampled; what judges did is not counted by the store."""

    _shown: SpendingView | None = None

    def on_mount(self) -> None:
        self.border_title = TITLE

    def show(self, spending: SpendingView) -> None:
        if spending != self._shown:
            self._shown = spending
            models = {row.model for row in spending.rows}
            self.border_title = Text(f"{TITLE}: {next(iter(models))}" if len(models) == 1 else TITLE).markup
            missing = _missing(spending)
            parts = [spending_table(spending), *([Text(missing)] if missing else [])]
            self.update(Group(*parts) if spending.rows else EMPTY)


def spending_table(spending: SpendingView) -> Table:
    """Without the models where there is one: the title names it."""
    several = len({row.model for row in spending.rows}) > 1
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for name in ("role", "model") if several else ("role",):
        table.add_column(name, no_wrap=True)
    for name in ("rollouts", "searches", "read", "sampled", "USD"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in spending.rows:
        counts = (f"{row.rollouts:,}", amount(row.searches), amount(row.read), amount(row.sampled))
        model = [Text(cut(row.model, MODEL))] if several else []
        table.add_row(Text(row.role), *model, *counts, usd(row.usd))
    if len(spending.rows) > 1:
        table.add_row("all", *([""] if several else []), *_sums(spending), usd(spending.usd), style="bold")
    return table


def _sums(spending: SpendingView) -> tuple[str, ...]:
    rows = spending.rows
    return (
        f"{sum(row.rollouts for row in rows):,}",
        *(amount(sum(getattr(row, name) for row in rows)) for name in ("searches", "read", "sampled")),
    )


def usd(value: float | None) -> str:
    """Two digits behind the point, four where that would say nothing; `?`: nobody knows."""
    if value is None:
        return "?"
    return f"{value:,.2f}" if value >= 1 or value == 0 else f"{value:.4f}"


def _missing(spending: SpendingView) -> str:
    if spending.problem:
        return f"no cost: {spending.problem}"
    names = spending.unpriced
    return f"no price for {', '.join(names)} in prices.toml of the working folder" if names else ""
