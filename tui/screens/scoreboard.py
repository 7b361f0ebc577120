"""Who was preferred in the battles over a corpus."""

from __future__ import annotations

from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from karl.control.safe_text import clean
from karl.control.scoreboard import Scoreboard, Scored, read_scoreboard
from store.errors import KarlError
from store.session import Store

EMPTY = "No battle yet: choose a second checkpoint (c), ask both a question, and vote."


class ScoreboardScreen(ModalScreen[None]):
    CSS_PATH = "scoreboard.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,b", "dismiss", "Close", key_display="esc")]

    def __init__(self, store: Store, corpus: str) -> None:
        super().__init__()
        self._store, self._corpus = store, corpus

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = f"scoreboard over {self._corpus}"
            box.border_subtitle = "esc closes"
            yield Static("reading the votes", id="headline", markup=False)
            yield Static(id="ratings")
            yield Static(id="notes", markup=False)

    def on_mount(self) -> None:
        self._read()

    @work(thread=True, exit_on_error=False)
    def _read(self) -> None:
        try:
            found = read_scoreboard(self._store, self._corpus)
        except KarlError as exc:
            self.app.call_from_thread(self.query_one("#headline", Static).update, f"cannot read: {exc}")
            return
        self.app.call_from_thread(self._show, found)

    def _show(self, found: Scoreboard) -> None:
        self.query_one("#headline", Static).update(found.headline if found.systems else EMPTY)
        self.query_one("#ratings", Static).update(ratings(found) if found.systems else "")
        self.query_one("#notes", Static).update("\n".join(clean(note) for note in found.notes))


def ratings(found: Scoreboard) -> Table:
    """A row a system."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("system", overflow="fold")
    for name in ("rating (95%)", "votes", "wins", "all bad", "no answer", "battles"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in found.systems:
        counts = (one.all_bad, one.no_answer, one.battles)
        share = "" if one.share is None else f"{one.share:.3f}"
        table.add_row(Text(clean(one.system)), _rating(one), f"{one.votes:,}", share, *(f"{n:,}" for n in counts))
    return table


def _rating(one: Scored) -> str:
    return "" if one.rating is None else f"{one.rating:.0f} ({one.low:.0f}..{one.high:.0f})"
