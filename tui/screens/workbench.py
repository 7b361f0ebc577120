"""The workbench: one graph or prompt in an editor, looked at as it is typed, compared, previewed, tried, saved."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.content import Content
from textual.widgets import TabbedContent, TabPane, TextArea
from textual.worker import Worker, WorkerState

from karl.control.workshop import (
    Draft,
    Facts,
    Kind,
    Looked,
    Piece,
    TrialSession,
    look,
    opened,
    text_on_disk,
)
from store.errors import KarlError
from tui.messages import PlaceChosen, QuestionPut
from tui.reading.graphs import Material, read_material
from tui.screens.base import RoomScreen
from tui.screens.previewing import ask_values, show_preview
from tui.screens.saving import keep, may_leave
from tui.screens.trying import open_trace, try_out
from tui.text import some
from tui.widgets.code_editor import CodeEditor
from tui.widgets.diagram_view import DiagramView
from tui.widgets.difference_view import DifferenceView
from tui.widgets.finding_list import FindingList
from tui.widgets.prompt_preview import PromptPreview
from tui.widgets.trial_panel import TrialPanel

WIDE = 140  # columns from which the panes stand beside the editor
TELLING = 6.0  # seconds that a message stays
PAUSE = 0.3  # seconds without a key until the text is looked at


class WorkbenchScreen(RoomScreen):
    ROOM = "graphs"
    CSS_PATH = "workbench.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "Save"),
        Binding("escape", "leave", "Back", key_display="esc", tooltip="out of the editor, stop the trial, back"),
        Binding("e", "edit", "Edit", tooltip="to the editor"),
        Binding("f2", "pane('findings')", "Findings", show=False),
        Binding("f3", "pane('picture')", "Diagram or preview", show=False),
        Binding("f4", "pane('difference')", "Difference to the built-in one", show=False),
        Binding("f5", "pane('trial')", "Run one question", show=False),
        Binding("f8", "next_finding", "Next", tooltip="to the next finding"),
        Binding("f9", "zoom", "Zoom", tooltip="the editor alone, or the pane alone, and back"),
        Binding("o", "open_trace", "Trace", show=False, tooltip="the last question's trace in the room of traces"),
        Binding("v", "values", "Values", show=False, tooltip="values that a prompt's preview is filled with"),
    ]

    def __init__(self, piece: Piece) -> None:
        super().__init__()
        self._piece = piece
        self._draft: Draft | None = None
        self._looked: Looked | None = None
        self._material: Material | None = None
        self._typed: dict[str, str] = {}
        self._session = TrialSession()
        self._trial: Worker[None] | None = None
        self._told = ("", 0.0)  # until when
        self.trouble = ""  # why the store gives nothing for previews

    def compose_room(self) -> ComposeResult:
        graph = self._piece.kind is Kind.GRAPH
        with Container(id="bench"):
            yield CodeEditor(language="yaml" if graph else "markdown", id="editor")
            with TabbedContent(id="panes"):
                with TabPane("F2 Findings", id="findings"):
                    yield FindingList(id="marks")
                with TabPane("F3 Diagram" if graph else "F3 Preview", id="picture"):
                    yield DiagramView(id="drawn") if graph else PromptPreview(id="rendered")
                with TabPane("F4 Difference", id="difference"):
                    yield DifferenceView(id="told-apart")
                with TabPane("F5 Run", id="trial"):
                    yield TrialPanel(id="one-question")

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one(CodeEditor).read_only = True  # until there is something to edit
        if self.size.width >= WIDE:
            # Findings are seen beside the lines; there is room for more.
            self.query_one("#panes", TabbedContent).active = "picture"
        self.open_piece()

    async def on_unmount(self) -> None:
        await self._session.aclose()

    def commands(self) -> Iterator[SystemCommand]:
        yield SystemCommand("Save", "Into your own folder", self.action_save)
        yield SystemCommand("Run one question", "Through the text as it stands", partial(self.action_pane, "trial"))
        yield SystemCommand("Next finding", "Go to its line", self.action_next_finding)
        if self._piece.kind is Kind.PROMPT:
            yield SystemCommand("Values of the preview", "Type what the variables stand for", self.action_values)

    # -- the text ----------------------------------------------------------------------------------------------------

    @property
    def draft(self) -> Draft:
        """As it stands. Only once it was opened."""
        assert self._draft is not None
        return self._draft

    @work(group="open", exit_on_error=False)
    async def open_piece(self) -> None:
        """Read the file, or make the copy of a built-in one; then what the store has for previews."""
        self.take(await asyncio.to_thread(opened, self._piece, self.desk.settings), anew=True)
        try:
            self._material = await asyncio.to_thread(
                read_material, self.desk.store, run_id=self.desk.run_id, rollout_id=self.desk.rollout_id
            )
            self.query_one(TrialPanel).suggest(self._material.facts.question)
        except KarlError as exc:
            self._material, self.trouble = Material(Facts(), "", None), str(exc)
        self._look()

    async def reopened(self) -> None:
        """Go on with what the file says now."""
        self._piece = replace(self._piece, path=self.draft.path, built_in=False)
        self.take(await asyncio.to_thread(opened, self._piece, self.desk.settings), anew=True)

    def take(self, draft: Draft, *, anew: bool = False) -> None:
        """Go on with this draft. anew: its text is not what the editor holds."""
        self._draft = draft
        editor = self.query_one(CodeEditor)
        if anew:
            editor.read_only = False
            editor.load_text(draft.text)
            editor.focus()
        self._tell_unsaved()

    @on(TextArea.Changed)
    def _typed_in(self) -> None:
        if self._draft is not None:
            self._draft = replace(self._draft, text=self.query_one(CodeEditor).text)
            self._tell_unsaved()
            self._look()

    def _tell_unsaved(self) -> None:
        name = str(self.draft.path)
        (self.desk.unsaved.add if self.draft.changed else self.desk.unsaved.discard)(name)
        state = "* not saved" if self.draft.changed else "" if self.draft.base else "not changed yet"
        self.query_one(CodeEditor).border_title = Content(f"{name}  {state}".strip())

    @work(group="look", exclusive=True, exit_on_error=False)
    async def _look(self) -> None:
        """Once nothing was typed for a moment; a later one takes the place of an earlier one."""
        await asyncio.sleep(PAUSE)
        draft = self.draft
        looked = await asyncio.to_thread(look, draft, self.desk.settings)
        if draft.text == self.draft.text:
            self._show_looked(looked)
            self.read()
            await show_preview(self, self._typed)

    def _show_looked(self, looked: Looked) -> None:
        self._looked = looked
        self.query_one(CodeEditor).show_marks(looked.marks)
        self.query_one(FindingList).show(looked.marks)
        self.query_one(DifferenceView).show(looked.difference, otherwise=looked.same)
        if self._piece.kind is Kind.GRAPH:
            self.query_one("#drawn", DiagramView).show(looked.diagram)
        found = f" ({len(looked.marks)})" if looked.marks else ""
        self.query_one("#panes", TabbedContent).get_tab("findings").label = f"F2 Findings{found}"

    @property
    def material(self) -> Material | None:
        """What the store has for previews and trials; None: it has not answered yet."""
        return self._material

    # -- one question ------------------------------------------------------------------------------------------------

    @on(QuestionPut)
    def _put(self, event: QuestionPut) -> None:
        self._trial = self._run_trial(event.question)

    @work(group="trial", exclusive=True, exit_on_error=False)
    async def _run_trial(self, question: str) -> None:
        await try_out(self, self._session, question)

    @work(group="trace", exclusive=True, exit_on_error=False)
    async def action_open_trace(self) -> None:
        await open_trace(self)

    # -- keys --------------------------------------------------------------------------------------------------------

    @on(PlaceChosen)
    def _go(self, event: PlaceChosen) -> None:
        self.query_one(CodeEditor).go_to(event.line, event.column)

    def action_next_finding(self) -> None:
        """In this text, after the cursor; then from the top."""
        own = sorted(
            (mark.line, mark.column) for mark in (self._looked.marks if self._looked else ()) if not mark.elsewhere
        )
        row, column = self.query_one(CodeEditor).cursor_location
        after = [place for place in own if place > (row + 1, column + 1)]
        if own:
            self.query_one(CodeEditor).go_to(*(after or own)[0])

    def action_edit(self) -> None:
        self.query_one("#bench").remove_class("-pane-alone")
        self.query_one(CodeEditor).focus()

    def action_pane(self, name: str) -> None:
        self.query_one("#bench").remove_class("-editor-alone")
        panes = self.query_one("#panes", TabbedContent)
        panes.active = name
        first = next(widget for widget in panes.get_pane(name).query("*") if widget.focusable)
        self.call_after_refresh(first.focus)

    def action_zoom(self) -> None:
        """Whichever of the two has the focus takes all the room."""
        bench, editor = self.query_one("#bench"), self.query_one(CodeEditor)
        alone = "-editor-alone" if editor.has_focus else "-pane-alone"
        zoomed = bench.has_class("-editor-alone", "-pane-alone")
        bench.remove_class("-editor-alone", "-pane-alone")
        bench.set_class(not zoomed, alone)

    def action_values(self) -> None:
        if self._piece.kind is Kind.PROMPT and self._draft is not None and self._material is not None:
            self._ask_values()

    @work(group="values", exclusive=True, exit_on_error=False)
    async def _ask_values(self) -> None:
        self._typed |= await ask_values(self, self._typed)
        await show_preview(self, self._typed)

    @work(group="save", exclusive=True, exit_on_error=False)
    async def action_save(self) -> None:
        if self._draft is not None:
            await keep(self)

    @work(group="save", exclusive=True, exit_on_error=False)
    async def action_leave(self) -> None:
        if self._trial is not None and self._trial.state is WorkerState.RUNNING:
            self._trial.cancel()
            self.query_one(TrialPanel).end("stopped")
        elif self._draft is None or await may_leave(self):
            self.desk.unsaved.discard(str(self._draft.path) if self._draft else "")
            self.dismiss()

    @on(Worker.StateChanged)
    def _went_wrong(self, event: Worker.StateChanged) -> None:
        """Of everything but the reading, which the base tells."""
        if event.state is WorkerState.ERROR and event.worker.name != "read":
            self.tell(f"{event.worker.error}", failed=True)

    def tell(self, text: str, *, failed: bool = False) -> None:
        """In the status line, for a while; what failed is shown once more over everything else."""
        self._told = (text, time.monotonic() + TELLING)
        self.say(text, failed=failed)
        if failed:
            self.notify(text, severity="error", markup=False)

    # -- the file ----------------------------------------------------------------------------------------------------

    def reading(self, *, afresh: bool) -> Callable[[], Any] | None:
        return partial(_on_disk, self._draft) if self._draft is not None else None

    def show(self, view: str) -> str:
        told, until = self._told
        if time.monotonic() < until:
            return told
        row, column = self.query_one(CodeEditor).cursor_location
        place = f"line {row + 1}, column {column + 1}"
        here = self._looked.at(row + 1) if self._looked else ""
        parts = (self._piece.key, view, self._counts(), place, here, self.trouble)
        return "  ".join(part for part in parts if part)

    def _counts(self) -> str:
        looked = self._looked
        if looked is None:
            return "looking"
        return f"{some(looked.errors, 'error')}, {some(len(looked.marks) - looked.errors, 'warning')}"


def _on_disk(draft: Draft) -> str:
    from karl.control.workshop.drafts import sha256

    text = text_on_disk(draft)
    return "" if draft.base == (None if text is None else sha256(text)) else "! the file was changed by someone else"
