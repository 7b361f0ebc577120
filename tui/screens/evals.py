"""The room of evaluations: which there are, one or several side by side, and the answers that fall short."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.widgets import Static
from textual.worker import Worker, WorkerState

from karl.control.evaluations import Form, Sheet, export_report
from store import queries
from store.session import Store
from tui.doors import open_trace
from tui.reading.evals import EvalsReader, EvalsView, ProgressView, Wanted
from tui.screens.base import RoomScreen
from tui.screens.export import ExportScreen
from tui.text import bar
from tui.widgets.evaluation_list import EvaluationList
from tui.widgets.evaluation_parts import EvaluationParts
from tui.widgets.failure_list import FailureList
from tui.widgets.system_table import SystemTable

EMPTY = """\
No evaluation yet. Type this in another terminal, and watch it here:

    karl eval embedded --suite fogbench

or measure the policies of a run against their base:

    karl eval RUN --suite fogbench

A run of `karl demo` or `karl run` evaluates its policies by itself."""
TRACE, EXPORT = "trace", "export"  # names of what threads do beside the reading
PROGRESS_BAR = 20  # cells


class EvalsScreen(RoomScreen):
    ROOM = "evals"
    CSS_PATH = "evals.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "next_part", "Next part"),
        Binding("slash", "filter", "Filter", key_display="/", tooltip="the failures, by words"),
        Binding("e", "export", "Export", tooltip="the report, to a file of the working folder"),
        Binding("y", "copy", "Copy", show=False, tooltip="copy the hash of the evaluation, or the key of the trace"),
        Binding("escape", "back", "Back to the list", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._reader: EvalsReader | None = None
        self._view: EvalsView | None = None
        self._drawn: tuple[Sheet, tuple[str, ...]] | None = None
        self._selected: str | None = None
        self._marked: frozenset[str] = frozenset()
        self._pair: tuple[str, ...] = ()  # labels, the one before first
        self._told: dict[str, str] = {}
        self._about: int | None = None  # the run that was shown, or that the user passed by
        self._asked: Wanted | None = None

    def compose_room(self) -> ComposeResult:
        yield Static(EMPTY, id="empty", markup=False)
        yield EvaluationList(id="evaluations")
        yield Static(id="progress", markup=False)
        yield Static(id="problem", markup=False)
        yield EvaluationParts(id="parts")

    def on_mount(self) -> None:
        for hidden in ("#empty", "#progress", "#problem"):
            self.query_one(hidden).display = False

    # -- reading -----------------------------------------------------------------------------------------------------

    def reading(self, *, afresh: bool) -> Callable[[], Any]:
        self._reader = self._reader or EvalsReader(self.desk.store, self.desk.settings)
        self._asked = self._wanted()
        return partial(self._reader.read, self._asked, afresh=afresh)

    def _wanted(self) -> Wanted:
        pair = (self._pair[0], self._pair[1]) if len(self._pair) == 2 else None
        run_id = self.desk.run_id
        return Wanted(self._selected, self._marked, pair, run_id, follow=run_id != self._about)

    def show(self, view: EvalsView) -> str:
        if self._asked != self._wanted():
            # The user has moved on meanwhile.
            self.call_later(self.read)
        self._view = view
        if view.chosen and (self._selected is None or (self._asked and self._asked.follow)):
            self._selected, self._about = view.chosen[0].key, self.desk.run_id
        self._lay_out(view)
        return self._status(view)

    def _lay_out(self, view: EvalsView) -> None:
        self.query_one("#empty").display = not view.lines
        self.query_one(EvaluationList).display = bool(view.lines)
        self.query_one(EvaluationParts).display = view.sheet is not None
        self._tell("#progress", "\n".join(map(_progress, view.progress)))
        self._tell("#problem", view.problem)
        self.query_one(EvaluationList).show(view.lines, selected=self._selected, marked=self._marked)
        if view.sheet is not None:
            self._draw(view.sheet)

    def _draw(self, sheet: Sheet) -> None:
        if self._drawn != (sheet, self._pair):
            self._drawn = (sheet, self._pair)
            self.query_one(EvaluationParts).show(sheet, pair=self._pair)

    def _status(self, view: EvalsView) -> str:
        if not view.chosen:
            return f"no evaluation  {self.desk.source}"
        count = "1 evaluation" if len(view.lines) == 1 else f"{len(view.lines):,} evaluations"
        shown = view.chosen[0].name if len(view.chosen) == 1 else f"{len(view.chosen)} side by side"
        notes = len(view.sheet.notes) if view.sheet else 0
        told = f"  {notes} {'note' if notes == 1 else 'notes'} to read first" if notes else ""
        return f"{count}: {shown}{told}  read {datetime.now().astimezone():%H:%M:%S}  {self.desk.source}"

    def _tell(self, where: str, text: str) -> None:
        """An update lays the screen out anew: only where something changed."""
        place = self.query_one(where, Static)
        if self._told.get(where) != text:
            self._told[where] = text
            place.display = bool(text)
            place.update(text)

    def on_resize(self, event: Resize) -> None:
        """Columns are by the room that there is."""
        if self._view is not None:
            self._drawn = None
            self._lay_out(self._view)

    # -- what the user picks -----------------------------------------------------------------------------------------

    @on(EvaluationList.Moved)
    def _select(self, event: EvaluationList.Moved) -> None:
        self._selected = event.key
        line = next((line for line in self._view.lines if line.key == event.key), None) if self._view else None
        if line is not None and line.run_id is not None:
            self.desk.run_id = self._about = line.run_id
        if not self._marked:
            self._pair = ()
            self.read(afresh=False)

    @on(EvaluationList.Marked)
    def _mark(self, event: EvaluationList.Marked) -> None:
        self._marked = self._marked ^ {event.key}
        self._pair = ()
        self.read()

    @on(EvaluationList.Opened)
    def _open(self) -> None:
        self.query_one(EvaluationParts).focus_content()

    @on(SystemTable.Marked)
    def _mark_system(self, event: SystemTable.Marked) -> None:
        """The third mark begins a new pair; a system that is marked again is none of it."""
        held = self._pair if len(self._pair) < 2 else ()
        self._pair = tuple(one for one in held if one != event.label) + (() if event.label in held else (event.label,))
        if self._view and self._view.sheet:
            self._draw(self._view.sheet)
        self.read()

    def action_next_part(self) -> None:
        self.query_one(EvaluationParts).next_tab()

    def action_filter(self) -> None:
        parts = self.query_one(EvaluationParts)
        if parts.display:
            parts.open("failures")
            self.query_one(FailureList).begin_filter()

    def action_back(self) -> None:
        self.query_one(EvaluationList).focus()

    def action_copy(self) -> None:
        failures = self.query_one(FailureList)
        if failures.has_focus_within and failures.chosen is not None:
            text = failures.chosen.rollout
        else:
            text = " ".join(line.sha256 or line.name for line in self._view.chosen) if self._view else ""
        if text:
            self.app.copy_to_clipboard(text)
            self.notify(f"copied {text}", markup=False)

    # -- traces and reports ------------------------------------------------------------------------------------------

    @on(FailureList.TraceWanted)
    def _find_trace(self, event: FailureList.TraceWanted) -> None:
        self._begin(TRACE, partial(find_trace, self.desk.store, event.rollout))

    def action_export(self) -> None:
        paths = [line.path for line in self._view.chosen if line.path] if self._view and self._view.sheet else []
        if paths:
            self.app.push_screen(ExportScreen(), partial(self._export, paths))
        else:
            self.notify(
                "a report is made of documents of `karl eval`; `karl show RUN` prints a run's own", markup=False
            )

    def _export(self, paths: list[Path], form: Form | None) -> None:
        if form is not None:
            self._begin(EXPORT, partial(export_report, paths, folder=Path.cwd(), form=form))

    def _begin(self, name: str, work: Callable[[], Any]) -> None:
        self.run_worker(work, name=name, group=name, thread=True, exit_on_error=False)

    @on(Worker.StateChanged)
    def _work_ended(self, event: Worker.StateChanged) -> None:
        if event.worker.name not in (TRACE, EXPORT):
            return
        if event.state is WorkerState.ERROR:
            self.notify(str(event.worker.error), severity="error", markup=False)
        elif event.state is WorkerState.SUCCESS and event.worker.name == EXPORT:
            path: Path = event.worker.result  # type: ignore[assignment]
            self.notify(f"wrote {path.name} in {path.parent}", markup=False)
        elif event.state is WorkerState.SUCCESS:
            self._open_trace(event.worker.result)

    def _open_trace(self, rollout_id: int | None) -> None:
        if rollout_id is None:
            self.notify("this store does not hold the trace: its evaluation ran in another home", markup=False)
            return
        open_trace(self, rollout_id)

    def commands(self) -> Iterator[SystemCommand]:
        yield SystemCommand(
            "Export the report", "HTML or Markdown, to a file of the working folder", self.action_export
        )
        yield SystemCommand("Filter the failures", "By words of question, answer and reason", self.action_filter)
        yield SystemCommand("Copy the evaluation's hash", "Or the key of the trace", self.action_copy)


def find_trace(store: Store, key: str) -> int | None:
    """Id of a rollout. Raises: KarlError when the database refuses."""
    with store.session() as session:
        return queries.rollout_id_by_key(session, key)


def _progress(stage: ProgressView) -> str:
    full = max(1, stage.total)
    under_way = f", {stage.under_way} under way" if stage.under_way else ""
    state = "over" if stage.over else f"{stage.done / full:.0%}{under_way}"
    drawn = bar(stage.done, full=full, width=PROGRESS_BAR)
    return f"{drawn:<{PROGRESS_BAR}} {stage.done:,}/{stage.total:,} {state}  {stage.title}"
