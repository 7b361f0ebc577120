"""The first room: the runs of the store. Writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.widgets import Static

from store.types import RunState
from tui.messages import RunOpened, RunSelected
from tui.reading.home import HomeView, read_home
from tui.screens.base import RoomScreen
from tui.widgets.run_table import RunTable

EMPTY = """\
No run yet. Type this in another terminal, and watch it here:

    karl demo

or, with your own documents:

    karl ingest FOLDER --name NAME
    karl run --corpus NAME"""


class HomeScreen(RoomScreen):
    ROOM = "home"
    CSS_PATH = "home.tcss"

    def compose_room(self) -> ComposeResult:
        yield Static(EMPTY, id="empty", markup=False)
        yield RunTable(id="runs")

    def on_mount(self) -> None:
        self.query_one("#empty").display = False

    def reading(self, *, afresh: bool) -> Callable[[], Any]:
        return partial(read_home, self.desk.store)

    def show(self, view: HomeView) -> str:
        self.query_one("#empty").display = not view.runs
        table = self.query_one(RunTable)
        table.display = bool(view.runs)
        if not any(run.run_id == self.desk.run_id for run in view.runs):
            self.desk.run_id = view.runs[0].run_id if view.runs else None
        table.show(view.runs, selected=self.desk.run_id)
        running = sum(run.state is RunState.RUNNING for run in view.runs)
        runs = "1 run" if len(view.runs) == 1 else f"{len(view.runs)} runs"
        return f"{runs}, {running} running  read {datetime.now().astimezone():%H:%M:%S}  {self.desk.source}"

    @on(RunSelected)
    def _select(self, event: RunSelected) -> None:
        self.desk.run_id = event.run_id

    @on(RunOpened)
    def _open(self, event: RunOpened) -> None:
        self.desk.run_id = event.run_id
        self.app.switch_mode("run")
