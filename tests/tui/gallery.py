"""A store with something in every room, and none of it by the clock: what pictures are compared on."""

from __future__ import annotations

import asyncio
import re
import time
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import update
from sqlmodel import SQLModel
from textual.pilot import Pilot

from store.queries import set_run_state
from store.session import Store
from store.types import RunState
from tests.tui.evals_kit import evaluated_run, keep_reports
from tests.tui.home_kit import add_checkpoint, home_of
from tests.tui.kit import fill_done, shown
from tests.tui.traces_kit import fill_traces
from tui.app import KarlApp
from tui.screens.base import RoomScreen

MOMENT = datetime(2026, 11, 20, 12, tzinfo=UTC)
STEADY = 4  # looks in a row that show the same
PATIENCE = 20.0  # seconds


def fill_gallery(store: Store, source: Path) -> None:
    with store.session() as session:
        fill_done(session)
        evaluated_run(session, name="filings-1")
        filled = fill_traces(session, source, name="memos-1")
        add_checkpoint(session, filled.run, "memos-1/oapl-1", rate=0.625)
        set_run_state(session, filled.run, state=RunState.STOPPED)
    keep_reports(home_of(store))
    _stop_the_clock(store)


def _stop_the_clock(store: Store) -> None:
    with store.session() as session:
        for table in SQLModel.metadata.sorted_tables:
            moments = {column.name: MOMENT for column in table.c if column.name.endswith("_at")}
            if moments:
                session.connection().execute(update(table).values(moments))


async def settled(pilot: Pilot[None], picture: Path) -> None:
    """Wait until nothing moves and it looks as in `picture`, or has had the time to; on a busy machine a room comes
    bit by bit. What differs from machine to machine is taken away: the status line and the health."""
    app = pilot.app
    assert isinstance(app, KarlApp)
    expected = _normal(picture.read_text(encoding="utf-8")) if picture.is_file() else None
    end, seen, same = time.monotonic() + PATIENCE, list[str](), 0
    while same < STEADY or (expected is not None and time.monotonic() < end):
        await pilot.pause(0.1)
        await asyncio.sleep(0.1)
        for widget in app.screen.query("#status, #health"):
            widget.display = False
        before, seen = seen, shown(app)
        ready = isinstance(app.screen, RoomScreen) and app.screen.readings > 0
        same = same + 1 if ready and seen == before else 0
        if same >= STEADY and expected == _normal(app.export_screenshot(simplify=True)):
            return


def _normal(svg: str) -> str:
    """Without the number that every export draws anew."""
    return re.sub(r"\bterminal-\d+-([\w-]+)", r"terminal-\1", svg).strip()
