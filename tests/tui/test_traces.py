"""The traces room on a real store, driven by Textual's pilot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import text
from textual.widgets import Input

from store.queries import RolloutFilter
from store.session import Store
from store.types import Fate
from tests.tui.kit import app_on, fill_done, until
from tests.tui.traces_kit import fill_many, fill_traces
from tui.screens.compare import CompareScreen
from tui.screens.traces import TracesScreen
from tui.widgets.rollout_table import EDGE, GAP, RolloutTable, shapes_for

SMALL, LARGE = (80, 24), (200, 60)


def rows(lines: list[str]) -> list[list[str]]:
    """The words of the list's lines."""
    start = next(n for n, line in enumerate(lines) if line.split()[:2] in (["id", "arm"], ["id", "stage"]))
    return [line.split() for line in lines[start + 1 :] if line.split()[:1] and line.split()[0].strip("*").isdigit()]


async def typed(pilot, words: str) -> None:
    await pilot.press("slash")
    pilot.app.screen.query_one(Input).value = words
    await pilot.press("enter")


async def test_an_empty_store_says_what_to_type(store: Store):
    app = app_on(store, room="traces")
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, "No run yet: `karl demo` makes one")


async def test_the_list_of_the_newest_run(store: Store, tmp_path: Path):
    with store.session() as session:
        fill_done(session)
        fill_traces(session, tmp_path, name="notes-2")
    app = app_on(store, room="traces")
    async with app.run_test(size=SMALL) as pilot:
        lines = await until(pilot, "[4 Traces]", "notes-2: 3 rollouts", "failed: timeout")
        found = rows(lines)
        assert [row[1:4] for row in found] == [
            ["base", "1.000", "Who"],
            ["train", "failed:", "timeout"],
            ["train", "0.500", "Who"],
        ]
        assert any("Who leads the team [Atlas]?" in line for line in lines)
        await pilot.resize_terminal(*LARGE)
        lines = await until(pilot, "explore then verify", "evaluate 0", "kept")
        assert len(rows(lines)) == 3


async def test_pages_are_read_as_the_cursor_comes_near_the_end(store: Store):
    with store.session() as session:
        run = fill_done(session)
        fill_many(session, run, 250)
    app = app_on(store, room="traces")
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, "notes-1: 253 rollouts")
        table = app.screen.query_one(RolloutTable)
        assert table.row_count == 100
        seen = []
        for count in (200, 253):
            await pilot.press("end")
            for _ in range(100):
                await pilot.pause(0.05)
                if table.row_count >= count:
                    break
            seen.append(table.row_count)
        await pilot.press("end")
        assert seen == [200, 253]
        ids = [int(str(key.value)) for key in table.rows]
        assert ids == sorted(ids, reverse=True) and len(set(ids)) == 253
        await pilot.press("enter")
        await until(pilot, f"rollout {ids[-1]}: notes-1/failed/0")
        await pilot.press("escape")
        await until(pilot, "notes-1: 253 rollouts")
        assert (table.row_count, table.cursor_row) == (253, 252)


async def test_the_filter_narrows_counts_and_tells_mistakes(store: Store):
    with store.session() as session:
        run = fill_done(session)
        fill_many(session, run, 120)
    app = app_on(store, room="traces")
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, "notes-1: 123 rollouts")
        await typed(pilot, "score>=0.9 scor>1")
        await until(pilot, "no column 'scor'; did you mean 'score'?", "notes-1: 123 rollouts")
        await pilot.press("escape")
        await typed(pilot, "score>=0.9 leads")
        lines = await until(pilot, "notes-1: 10 rollouts under the filter")
        assert [row[2] for row in rows(lines)] == [f"{n / 100:.3f}" for n in range(99, 89, -1)]
        await typed(pilot, "kind:engine")
        assert len(rows(await until(pilot, "notes-1: 2 rollouts under the filter"))) == 2
        await typed(pilot, "kind:parse")
        await until(pilot, "No rollout is under this filter.")
        await typed(pilot, "")
        await until(pilot, "notes-1: 123 rollouts")


async def test_what_is_typed_is_completed(store: Store):
    with store.session() as session:
        fill_done(session)
    app = app_on(store, room="traces")
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, "notes-1: 3 rollouts")
        await pilot.press("slash", *"stat")
        await until(pilot, "status:")
        await pilot.press("tab", *"fa")
        await until(pilot, "status:failed")
        await pilot.press("tab", "enter")
        await until(pilot, "notes-1: 3 rollouts under the filter")
        assert app.screen.query_one(Input).value == "status:failed"


async def test_other_rooms_preset_the_filter_and_open_traces(store: Store, tmp_path: Path):
    with store.session() as session:
        ids = fill_traces(session, tmp_path)
        fill_done(session, name="other-1")
    app = app_on(store)
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, "2 runs")
        app.desk.filter = RolloutFilter(run_id=ids.run, fate=Fate.KEPT, lowest=0.75)
        await pilot.press("4")
        await until(pilot, "notes-1: 1 rollouts under the filter", "fate:kept score>=0.75")
        assert app.desk.filter is None
        await pilot.press("1")
        app.desk.rollout_id = ids.good
        await pilot.press("4")
        await until(pilot, f"rollout {ids.good}: notes-1/good")
        # Escape goes back to the room that wanted the trace.
        await pilot.press("1")
        app.desk.rollout_id, app.desk.back = ids.failed, "home"
        await pilot.press("4")
        await until(pilot, f"rollout {ids.failed}: notes-1/failed")
        await pilot.press("escape")
        await until(pilot, "[1 Home]")
        app.desk.filter = RolloutFilter(run_id=ids.run, arm="base")
        await pilot.press("4")
        await until(pilot, "notes-1: 1 rollouts under the filter", "arm:base")
        assert isinstance(app.screen, TracesScreen)


async def test_from_one_trace_to_the_next(store: Store, tmp_path: Path):
    with store.session() as session:
        ids = fill_traces(session, tmp_path)
    app = app_on(store, room="traces")
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, "notes-1: 3 rollouts")
        await pilot.press("enter")
        await until(pilot, f"rollout {ids.voted}: notes-1/voted")
        await pilot.press("n")
        await until(pilot, f"rollout {ids.failed}: notes-1/failed")
        await pilot.press("n", "n", "n")
        await until(pilot, f"rollout {ids.good}: notes-1/good", "no rollout after it in the list")
        await pilot.press("p")
        await until(pilot, f"rollout {ids.failed}: notes-1/failed")
        await pilot.press("escape")
        await until(pilot, " answer: none")  # under the list, of the rollout that the cursor is on
        await pilot.press("t")  # the list's cursor went along
        await until(pilot, f"rollout {ids.failed}, segment 1")


async def test_newer_rollouts_come_at_the_top(store: Store, tmp_path: Path):
    with store.session() as session:
        ids = fill_traces(session, tmp_path)
    app = app_on(store, room="traces")
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, "notes-1: 3 rollouts")
        with store.session() as session:
            fill_many(session, ids.run, 2)
        await until(pilot, "notes-1: 5 rollouts")
        await pilot.press("down")
        app.screen.query_one(RolloutTable).move_cursor(row=3)
        with store.session() as session:
            fill_many(session, ids.run, 4)  # the first two are there already
        await until(pilot, "newer ones: r shows them")
        await pilot.press("r")
        await until(pilot, "notes-1: 7 rollouts")
        current = app.screen.query_one(RolloutTable).current
        assert current is not None and current.rollout_id == ids.failed


async def test_two_marked_rollouts_side_by_side_or_stacked(store: Store, tmp_path: Path):
    with store.session() as session:
        ids = fill_traces(session, tmp_path)
    app = app_on(store, room="traces")
    async with app.run_test(size=LARGE) as pilot:
        await until(pilot, "notes-1: 3 rollouts")
        await pilot.press("v")
        await until(pilot, "space marks a rollout")
        await pilot.press("down", "space", "down", "space")
        await until(pilot, f"marked: {ids.failed}, {ids.good}")
        await pilot.press("v")
        lines = await until(pilot, "the same question", "~ step 1", "~ end", "failed, timeout: no byte for 600 s")
        (step,) = [line for line in lines if "~ step 1" in line]
        assert step.count("search, ") == 2
        assert any("Mira" in line and "no answer" in line for line in lines)
        await pilot.resize_terminal(*SMALL)
        lines = await until(pilot, "A 2", "B 1")
        assert isinstance(app.screen, CompareScreen)
        await pilot.press("x")
        await until(pilot, "A 1", "B 2")


async def test_a_refusing_database_is_told_and_the_list_stays(store: Store, tmp_path: Path):
    with store.session() as session:
        ids = fill_traces(session, tmp_path)
    app = app_on(store, room="traces")
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, "notes-1: 3 rollouts")
        with store.session() as session:
            session.connection().execute(text("ALTER TABLE step RENAME TO step_away"))
        await pilot.press("enter")
        await until(pilot, "cannot read, trying again", "no such table: step")
        with store.session() as session:
            session.connection().execute(text("ALTER TABLE step_away RENAME TO step"))
        await until(pilot, f"rollout {ids.voted}: notes-1/voted")
        with store.session() as session:
            for table, column in (("step", "rollout_id"), ("rollout", "id")):
                session.connection().execute(text(f"DELETE FROM {table} WHERE {column} = {ids.voted}"))
        await pilot.press("r")
        await until(pilot, f"rollout {ids.voted} is no longer in the store")
        await pilot.press("escape")
        await until(pilot, "notes-1: 2 rollouts")


async def test_copy_and_export_from_the_list(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with store.session() as session:
        ids = fill_traces(session, tmp_path)
    app = app_on(store, room="traces")
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, "notes-1: 3 rollouts", "failed: timeout")
        await pilot.press("y")
        assert app.clipboard == "answer 1"
        await pilot.press("e")
        await until(pilot, f"trace-{ids.voted}.json")
        assert json.loads((tmp_path / f"trace-{ids.voted}.json").read_text())["answer"] == "answer 1"


@pytest.mark.parametrize("width", [80, 119, 120, 140, 165, 200])
def test_the_columns_fit_in_every_width(width: int):
    shapes = shapes_for(width)
    assert sum(shape.cells for shape in shapes.values()) + len(GAP) * (len(shapes) - 1) + EDGE <= width
    assert ("answer" in shapes) == (width >= 120)
