"""Drive the real application headless over a big store and say how fast it is, how much it holds and burns.

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

from karl.control.place import load_settings
from store import queries
from store.queries import RolloutFilter
from store.session import Store
from store.types import Fate, RolloutStatus, RunState
from tui.app import KarlApp
from tui.rooms import ROOMS
from tui.screens.base import RoomScreen
from tui.screens.traces import TracesScreen
from tui.widgets.filter_bar import FilterInput

LIVE = "live"  # the phase in which whoever started this writes to the store
SIZE = (140, 42)
WATCHED = ("home", "run", "traces")
LOOK = 3.0  # seconds that a user looks at the first room
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
    async with app.run_test(size=SIZE):
        await _shown(app, "home", before=0)
        await asyncio.sleep(LOOK)
        found: dict[str, Any] = {
            "first_visit_ms": {room.name: await _visit(app, room.name) for room in ROOMS},
            "switch_ms": [await _visit(app, room.name) for _ in range(rounds) for room in ROOMS],
            "filter_ms": [ms for _ in range(rounds) for wanted in FILTERS for ms in await _filters(app, wanted)],
        }
        found["switch_ms"] += found["first_visit_ms"].values()
        app.desk.run_id = _run(store, RunState.DONE)
        found["idle_cpu_percent"] = await _burned(app, process, idle)
        _tell({"phase": LIVE})
        app.desk.run_id = _run(store, RunState.RUNNING)
        found["live_cpu_percent"] = await _burned(app, process, idle)
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


async def _visit(app: KarlApp, room: str) -> float:
    """Milliseconds from the key to the room painted with fresh figures; one that it is in already is left before."""
    if isinstance(app.screen, RoomScreen) and room == app.screen.ROOM:
        await _visit(app, next(other.name for other in ROOMS if other.name != room))
    before, began = _readings(app, room), time.perf_counter()
    app.action_enter(room)
    await _shown(app, room, before=before)
    await _painted(app)
    return _since(began)


async def _painted(app: KarlApp) -> None:
    """What was changed so far is on the terminal, and what follows from its layout."""
    while app._batch_count:  # textual holds painting back while rooms change
        await asyncio.sleep(0.001)
    for _ in range(2):
        done = asyncio.Event()
        app.screen.call_after_refresh(done.set)
        await done.wait()


async def _filters(app: KarlApp, wanted: RolloutFilter) -> list[float]:
    """Milliseconds from another room that asks for these traces, and from Enter behind the same words in the room."""
    if isinstance(app.screen, RoomScreen) and app.screen.ROOM != "home":
        await _visit(app, "home")
    app.desk.filter = wanted
    from_home = await _visit(app, "traces")
    traces = app.screen
    assert isinstance(traces, TracesScreen)
    words = traces.query_one(FilterInput).value
    await _typed(app, traces, "")
    return [from_home, await _typed(app, traces, words)]


async def _typed(app: KarlApp, traces: TracesScreen, words: str) -> float:
    traces.action_filter()
    field = traces.query_one(FilterInput)
    field.value = words
    await asyncio.sleep(0.1)  # nobody types and presses Enter within one frame
    shown, began = traces.shown, time.perf_counter()
    await field.action_submit()
    while traces.shown is shown:
        await asyncio.sleep(0.001)
    await _painted(app)
    return _since(began)


def _since(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 1)


async def _burned(app: KarlApp, process: psutil.Process, seconds: float) -> dict[str, float]:
    """Room -> per cent of a core, with nothing to do in it but to watch."""
    return {room: await _watched(app, process, room, seconds) for room in WATCHED}


async def _watched(app: KarlApp, process: psutil.Process, room: str, seconds: float) -> float:
    await _visit(app, room)
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
