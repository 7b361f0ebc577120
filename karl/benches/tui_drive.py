"""Drive the real application headless over a big store and say how long it took, how much it held and burned.

A process of its own (`python -m karl.benches.tui_drive`), so that memory and processor time are the application's
alone: it prints one JSON object. Waits are for what is on the screen, not for a call to return.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import psutil
from textual.pilot import Pilot

from karl.control.place import load_settings
from store import queries
from store.queries import RolloutFilter
from store.session import Store
from store.types import Fate, RolloutStatus, RunState
from tui.app import KarlApp
from tui.rooms import ROOMS
from tui.screens.base import RoomScreen

LIVE = "live"  # the phase in which whoever started this writes to the store
SIZE = (140, 42)
WATCHED = ("home", "run", "traces")
PATIENCE = 30.0  # seconds for a screen to come
FILTERS = (
    RolloutFilter(status=RolloutStatus.FAILED),
    RolloutFilter(behaviour="giving_up_early"),
    RolloutFilter(lowest=0.5, arm="oapl-1"),
    RolloutFilter(fate=Fate.KEPT),
    RolloutFilter(),
)


async def drive(home: Path, *, rounds: int, idle: float) -> dict[str, Any]:
    """`rounds` visits of every room, all filters in each; processor time over `idle` seconds a room and run."""
    process = psutil.Process()
    settings = load_settings(home=home)
    store = Store.open(settings.store_url)
    app = KarlApp(store, settings)
    async with app.run_test(size=SIZE) as pilot:
        await _shown(app, "home", before=0)
        opened = time.time() - process.create_time()
        found: dict[str, Any] = {
            "open_s": round(opened, 3),
            "first_visit_ms": {room.name: await _visit(app, pilot, room.name) for room in ROOMS},
            "switch_ms": [await _visit(app, pilot, room.name) for _ in range(rounds) for room in ROOMS],
            "filter_ms": [await _filter(app, pilot, wanted) for _ in range(rounds) for wanted in FILTERS],
        }
        app.desk.run_id = _run(store, RunState.DONE)
        found["idle_cpu_percent"] = await _burned(app, pilot, process, idle)
        _tell({"phase": LIVE})
        app.desk.run_id = _run(store, RunState.RUNNING)
        found["live_cpu_percent"] = await _burned(app, pilot, process, idle)
        found["memory_mb"] = round(process.memory_info().rss / 1e6, 1)
    store.close()
    return found


async def _shown(app: KarlApp, room: str, *, before: int) -> RoomScreen:
    """Wait until the room is on the screen with what it read after `before` readings."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        screen = app.screen
        if isinstance(screen, RoomScreen) and room == screen.ROOM and screen.readings > before:
            return screen
        await asyncio.sleep(0.002)
    raise TimeoutError(f"the room {room} never came")


async def _visit(app: KarlApp, pilot: Pilot[None], room: str) -> float:
    """Milliseconds from the key to the room with fresh figures; from another room, for one is not entered twice."""
    if isinstance(app.screen, RoomScreen) and room == app.screen.ROOM:
        await _visit(app, pilot, next(other.name for other in ROOMS if other.name != room))
    before, began = _readings(app, room), time.perf_counter()
    app.action_enter(room)
    await _shown(app, room, before=before)
    await pilot.pause()
    return round((time.perf_counter() - began) * 1000, 1)


async def _filter(app: KarlApp, pilot: Pilot[None], wanted: RolloutFilter) -> float:
    """Milliseconds from a room that asks for these traces to the traces."""
    if isinstance(app.screen, RoomScreen) and app.screen.ROOM != "home":
        await _visit(app, pilot, "home")
    app.desk.filter = wanted
    return await _visit(app, pilot, "traces")


async def _burned(app: KarlApp, pilot: Pilot[None], process: psutil.Process, seconds: float) -> dict[str, float]:
    """Room -> per cent of a core, with nothing to do in it but to watch."""
    return {room: await _watched(app, pilot, process, room, seconds) for room in WATCHED}


async def _watched(app: KarlApp, pilot: Pilot[None], process: psutil.Process, room: str, seconds: float) -> float:
    await _visit(app, pilot, room)
    before, began = _spent(process), time.perf_counter()
    await asyncio.sleep(seconds)
    return round(100 * (_spent(process) - before) / (time.perf_counter() - began), 1)


def _spent(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _run(store: Store, state: RunState) -> int:
    """The biggest run in this state."""
    with store.session() as session:
        return next(row.id or 0 for row in reversed(queries.runs(session)) if row.state is state)


def _tell(found: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


def _readings(app: KarlApp, room: str) -> int:
    stack = app._screen_stacks.get(room, [])
    return stack[0].readings if stack and isinstance(stack[0], RoomScreen) else 0


if __name__ == "__main__":
    _tell(asyncio.run(drive(Path(sys.argv[1]), rounds=int(sys.argv[2]), idle=float(sys.argv[3]))))
