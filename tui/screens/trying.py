"""The workbench's trial: one question through the text as it stands, heard while it runs."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from karl.control.workshop import Diagram, Kind, TrialSession, trial_of
from store.errors import KarlError
from tui import doors
from tui.reading.graphs import read_rollout_id
from tui.rooms import ROOMS
from tui.widgets.diagram_view import DiagramView
from tui.widgets.trial_panel import TrialPanel

if TYPE_CHECKING:
    from tui.screens.workbench import WorkbenchScreen

NO_CORPUS = "no corpus to search: `karl ingest FOLDER --name NAME` makes one"


async def try_out(bench: WorkbenchScreen, session: TrialSession, question: str) -> None:
    """Cancelled, it cancels the question."""
    panel, draft, settings = bench.query_one(TrialPanel), bench.draft, bench.desk.settings
    corpus = bench.material.corpus if bench.material else ""
    if not corpus:
        panel.begin(None, bench.trouble or NO_CORPUS)
        return
    panel.begin(None, f"asking over {corpus}")
    try:
        trial = await asyncio.to_thread(trial_of, draft, settings)
        panel.begin(trial.diagram, f"{trial.graph} over {corpus}: {question}")
        heard = session.ask(draft, question, trial=trial, corpus=corpus, settings=settings)
        async with aclosing(heard) as events:
            async for event in events:
                panel.hear(event)
                _show_node(bench, trial.diagram, panel.node)
        panel.end()
    except (KarlError, OSError) as exc:
        panel.end(str(exc))


async def open_trace(bench: WorkbenchScreen) -> None:
    """The last question's, in the room of traces. Raises: KarlError when the database refuses."""
    key = bench.query_one(TrialPanel).trace_id
    found = await asyncio.to_thread(read_rollout_id, bench.desk.store, key) if key else None
    if found is None or "traces" not in [room.name for room in ROOMS]:
        bench.tell("no trace yet: F5, then Enter, asks a question")
        return
    doors.open_trace(bench, found)


def _show_node(bench: WorkbenchScreen, diagram: Diagram, node: str) -> None:
    """In the pane of the diagram, too: on a small screen the trace leaves no room for one."""
    if bench.draft.kind is Kind.GRAPH:
        bench.query_one("#drawn", DiagramView).show(diagram, node=node)
