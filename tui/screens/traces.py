"""The room of traces: a filter, the rollouts under it, the newest first; one opens in `tui.screens.trace`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.widgets import Static

from karl.control.exports import export_trace
from store.errors import UsageError
from store.queries import RolloutLine
from tui.excerpts import one_line
from tui.filter_words import filter_text, parse_filter
from tui.reading.traces import Asked, ListView, NewsView, PageView, counted_total, read_list, read_news, read_page
from tui.screens.base import RoomScreen
from tui.threads import in_thread
from tui.widgets.filter_bar import FilterBar, FilterGiven
from tui.widgets.rollout_table import EndReached, RolloutTable, RolloutUnder, TraceOpened

NO_RUN = "No run yet: `karl demo` makes one, with rollouts to read here."
NOTHING = "No rollout is under this filter. `/` changes it; Enter on an empty line takes it away."


class TracesScreen(RoomScreen):
    ROOM = "traces"
    CSS_PATH = "traces.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("space", "mark", "Mark", tooltip="mark the rollout under the cursor to compare it"),
        Binding(
            "v", "compare", "Compare", tooltip="compare the two that are marked, or one with that under the cursor"
        ),
        Binding("t", "tokens", "Tokens"),
        Binding("y", "copy", "Copy", show=False, tooltip="copy the answer"),
        Binding("e", "export", "Export", tooltip="export the rollout as JSON into the working folder"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._asked = Asked()
        self._view: ListView | None = None  # the first page, as it was read last
        self._last: int | None = None  # the rollout under which a page is wanted
        self._more = False
        self._lines = 0
        self._marked: list[int] = []
        self._renew = True

    def compose_room(self) -> ComposeResult:
        yield FilterBar(id="filter")
        yield Static(NO_RUN, id="empty", markup=False)
        yield RolloutTable(id="rollouts")
        yield Static(id="under", markup=False)

    def on_mount(self) -> None:
        self.query_one("#empty").display = False
        self.query_one(RolloutTable).focus()

    # -- reading -----------------------------------------------------------------------------------------------------

    def come_back(self) -> None:
        """From a trace to the pages that were read; from another room perhaps with a wish of it."""
        if self.desk.rollout_id is not None:
            self._open(self.desk.rollout_id, back=self.desk.back)
            self.desk.rollout_id, self.desk.back = None, ""
        self.read()

    def reading(self, *, afresh: bool) -> Callable[[], Any] | None:
        self._take_over()
        if self._view is None or self._renew or afresh:
            self._renew, self._last = False, None
            return partial(read_list, self.desk.store, self._asked)
        if self._last is not None:
            before, self._last = self._last, None
            return partial(read_page, self.desk.store, self._view.wanted, before=before)
        return partial(read_news, self.desk.store, self._view.wanted)

    def _take_over(self) -> None:
        """What other rooms want: a filter, another run."""
        if self.desk.filter is not None:
            preset, self.desk.filter = self.desk.filter, None
            if preset.run_id is not None:
                self.desk.run_id = preset.run_id
            self._asked, self._renew = Asked(self.desk.run_id, preset=preset), True
        elif self.desk.run_id is not None and self.desk.run_id != self._asked.run_id:
            self._asked, self._renew = Asked(self.desk.run_id, self._asked.words), True

    def show(self, view: ListView | PageView | NewsView) -> str:
        match view:
            case ListView():
                self._show_list(view)
            case PageView() if self._view is not None and view.wanted == self._view.wanted:
                self._lines, self._more = self._lines + len(view.lines), view.more
                self.query_one(RolloutTable).append(view.lines, marked=self._marked)
            case NewsView():
                return self._show_news(view)
        return self._told()

    def _show_list(self, view: ListView) -> None:
        bar, table, empty = self.query_one(FilterBar), self.query_one(RolloutTable), self.query_one("#empty", Static)
        run_id = view.run.run_id if view.run else None
        words = view.asked.words
        if view.asked.preset is not None:
            words = filter_text(view.wanted, run_id=run_id, known=view.known)
        self._view, self._asked = view, Asked(run_id, words)
        self._lines, self._more = len(view.lines), view.more
        bar.show(words, known=view.known)
        empty.update(NOTHING if view.run or view.newest else NO_RUN)
        empty.display = not view.lines
        table.display = bool(view.lines)
        table.show(view.lines, marked=self._marked)
        self._tell_under(table.current)

    def _show_news(self, news: NewsView) -> str:
        """At the top the list follows a run that goes on; further down it stays, and says that there is more."""
        assert self._view is not None  # news are of a list
        newer = news.newest != self._view.newest
        if newer and (self.query_one(RolloutTable).cursor_row == 0 or not self._lines):
            self._renew = True
        return self._told("  newer ones: r shows them" if newer else "")

    def _told(self, news: str = "") -> str:
        view = self._view
        if view is None:
            return self.desk.source
        run = "all runs" if view.wanted.run_id is None else view.run.name if view.run else "no run"
        under = " under the filter" if view.wanted.narrows else ""
        marked = f"  marked: {', '.join(map(str, self._marked))}" if self._marked else ""
        return f"{run}: {counted_total(view.total)} rollouts{under}{news}{marked}  {self.desk.source}"

    @property
    def shown(self) -> ListView | None:
        """The first page of what the list shows."""
        return self._view

    # -- the filter --------------------------------------------------------------------------------------------------

    @on(FilterGiven)
    def _filter(self, event: FilterGiven) -> None:
        bar = self.query_one(FilterBar)
        try:
            if self._view is not None:
                run_id = self._view.run.run_id if self._view.run else None
                parse_filter(event.words, run_id=run_id, known=self._view.known)
        except UsageError as exc:
            bar.tell(str(exc), failed=True)
            return
        bar.tell("")
        self._asked, self._renew = Asked(self._asked.run_id, event.words), True
        self.query_one(RolloutTable).focus()
        self.read(afresh=True)

    def action_filter(self) -> None:
        self.query_one(FilterBar).begin()

    # -- the list ----------------------------------------------------------------------------------------------------

    @on(EndReached)
    def _next_page(self, event: EndReached) -> None:
        if self._more and self._last is None:
            self._last = event.last
            self.read()

    @on(TraceOpened)
    def _opened(self, event: TraceOpened) -> None:
        self._open(event.rollout_id)

    def _open(self, rollout_id: int, *, back: str = "") -> None:
        from tui.screens.trace import TraceScreen

        beside = self.query_one(RolloutTable).beside
        self.app.push_screen(TraceScreen(rollout_id, beside=beside, back=back))

    @on(RolloutUnder)
    def _moved(self, event: RolloutUnder) -> None:
        self._tell_under(event.line)

    def _tell_under(self, line: RolloutLine | None) -> None:
        """What the list has no room for."""
        width = max(1, self.size.width - 2)
        texts = [one_line(line.question, width), one_line(f"answer: {line.answer or 'none'}", width)] if line else []
        self.query_one("#under", Static).update("\n".join(texts))

    @property
    def _current(self) -> RolloutLine | None:
        return self.query_one(RolloutTable).current

    def action_mark(self) -> None:
        """At most two: of three the first is forgotten."""
        if (line := self._current) is None:
            return
        if line.rollout_id in self._marked:
            self._marked.remove(line.rollout_id)
        else:
            self._marked = [*self._marked[-1:], line.rollout_id]
        self.query_one(RolloutTable).mark(tuple(self._marked))
        self.say(self._told())

    def action_compare(self) -> None:
        from tui.screens.compare import CompareScreen

        line = self._current
        pair = [*self._marked, *([line.rollout_id] if line and line.rollout_id not in self._marked else [])][:2]
        if len(pair) < 2:
            self.say("space marks a rollout; then put the cursor on another, and v compares the two")
            return
        self.app.push_screen(CompareScreen(pair[0], pair[1]))

    def action_tokens(self) -> None:
        from tui.screens.tokens import TokensScreen

        if (line := self._current) is not None:
            self.app.push_screen(TokensScreen(line.rollout_id))

    def action_copy(self) -> None:
        if (line := self._current) is not None:
            self.app.copy_to_clipboard(line.answer)
            self.say(f"copied the answer of rollout {line.rollout_id}")

    def action_export(self) -> None:
        if (line := self._current) is not None:
            work = partial(export_trace, self.desk.store, line.rollout_id, folder=Path())
            in_thread(self, work, lambda path: self.say(f"wrote {path.name} in {path.parent}"))

    def commands(self) -> Iterator[SystemCommand]:
        """For the command palette."""
        yield SystemCommand("Filter the rollouts", "by score, behaviour, arm, state, words", self.action_filter)
        yield SystemCommand("Compare two rollouts", "those that are marked", self.action_compare)
        yield SystemCommand("Export the rollout", "as JSON into the working folder", self.action_export)
