"""How fast it goes at the moment: rollouts, tokens, searches, and how many rollouts at once."""

from __future__ import annotations

from rich.table import Table
from textual.widgets import Static

from tui.reading.run import RunView
from tui.reading.times import seconds_since
from tui.text import amount, duration

TITLE = "throughput"
LIVE = ("running", "paused")
EMPTY = "no rollouts were written lately"
OLD = 120.0  # seconds after which a rate is no longer one of now


class PacePanel(Static):
    """The rates are those of the newest rollouts; none where the last is long ago, for its time.

    Of a run that nobody works on there is nothing to show.
    """

    def on_mount(self) -> None:
        self.border_title, self._figures = TITLE, dict[str, str]()

    def show(self, view: RunView) -> None:
        self.display = view.standing in LIVE
        if not self.display:
            return
        rates, under_way = view.throughput, sum(stage.under_way for stage in view.stages)
        quiet = seconds_since(rates.newest) if rates is not None else 0.0
        if rates is None or quiet > max(OLD, 2 * rates.seconds):
            self.border_title = TITLE
            self._figures = {}
            self.update(f"{EMPTY}{f'; {under_way:,} under way' if under_way else ''}")
            return
        self.border_title = f"{TITLE} over {duration(rates.seconds)}, until {duration(quiet)} ago"
        figures = {
            "rollouts/s": f"{rates.rollouts:,.1f}",
            "sampled tokens/s": amount(rates.sampled),
            "read tokens/s": amount(rates.read),
            "searches/s": f"{rates.searches:,.1f}",
            "under way": f"{under_way:,}" if under_way else "",
        }
        if figures != self._figures:
            self._figures = figures
            self.update(_table(figures))


def _table(figures: dict[str, str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in figures:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row(*figures.values())
    return table
