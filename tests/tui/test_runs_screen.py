"""The runs screen on a real store, driven by Textual's pilot: what is stored is what is seen."""

from __future__ import annotations

from itertools import combinations, pairwise
from pathlib import Path

import pytest
from sqlalchemy import text
from textual.widgets import Footer

from store.queries import add_metrics, set_run_state
from store.session import Store
from store.types import RunState
from tests.tui.kit import add_losses, fill_done, fill_running, filled, shown, until
from tui.app import KarlApp, picture
from tui.screens.runs import RunsScreen
from tui.widgets.run_table import RunTable

SMALL, LARGE = (80, 24), (200, 60)


def words(lines: list[str], first: str) -> list[str]:
    """The words of the one line that begins with `first`."""
    (line,) = [line for line in lines if line.strip().startswith(first)]
    return line.split()


async def test_an_empty_store_says_what_to_type(store: Store):
    app = KarlApp(store)
    async with app.run_test(size=SMALL) as pilot:
        lines = await until(pilot, "    karl demo", "0 runs, 0 running")
        assert not any("newest" in line for line in lines)
        with store.session() as session:
            fill_done(session)
        lines = await until(pilot, "notes-1-corpus", "1 run, 0 running")
        assert not any("karl demo" in line for line in lines)


async def test_runs_are_rows_newest_first(store: Store):
    filled(store)
    app = KarlApp(store)
    async with app.run_test(size=SMALL) as pilot:
        lines = await until(pilot, "2 runs, 1 running", "filings-1-corpus")
        assert words(lines, "notes-1 ") == ["notes-1", "done", "notes-1-corpus", "1/1", "0.250", "0.500"]
        assert words(lines, "filings-1 ") == ["filings-1", "running", "filings-1-corpus", "1/3"]
        table = app.screen.query_one(RunTable)
        assert [table.get_row_at(n)[0].plain for n in range(2)] == ["filings-1", "notes-1"]


async def test_selecting_a_run_shows_its_funnel(store: Store):
    filled(store)
    app = KarlApp(store)
    async with app.run_test(size=SMALL) as pilot:
        lines = await until(pilot, "filings-1: running", "1 done 12 s", "2 train 0 s")
        counts = [[word for word in words(lines, stage) if word.isdigit()] for stage in ("proposed", "kept")]
        assert counts == [["20", "9"], ["5", "0"]]
        await pilot.press("down")
        lines = await until(pilot, "notes-1: done", "dropped: 6 all wrong, 5 duplicate")
        stages = ("proposed", "well formed", "deduplicated", "rolled out", "mixed", "kept")
        numbers = [int(next(word for word in words(lines, stage) if word.isdigit())) for stage in stages]
        assert numbers == [20, 18, 13, 12, 6, 5]
        bars = [words(lines, stage)[-1] for stage in stages]
        assert [len(bar) for bar in bars] == sorted((len(bar) for bar in bars), reverse=True)
        assert set(bars[0]) == {"█"}
        await pilot.press("up")
        await until(pilot, "filings-1: running")


async def test_training_evaluation_and_failures_of_a_run(store: Store):
    with store.session() as session:
        fill_done(session)
    app = KarlApp(store)
    async with app.run_test(size=LARGE) as pilot:
        lines = await until(pilot, "training sft-1 (1 of 2), step 1", "0.625 (0.625..0.75)", "2 engine, 1 tool")
        assert not any("winners" in line for line in lines)
        text = "\n".join(lines)
        for row in (
            ("base ", "1", "0.250 (0.200..0.300)", "0.450 (0.400..0.500)", "1.50"),
            ("base@0.5", "0.5", "0.375 (0.325..0.425)", "0.575 (0.525..0.625)", "1.50"),
            ("oapl-1", "1", "0.500 (0.450..0.550)", "0.700 (0.650..0.750)", "1.50"),
        ):
            assert any(all(cell in line for cell in row) for line in lines), (row, text)
        await pilot.press("t")
        await until(pilot, "training oapl-1 (2 of 2), step 2", "0.25 (0.25..0.5)", "-0.25 (-0.5..-0.25)", "losers")
        await pilot.press("t")
        await until(pilot, "training sft-1 (1 of 2)")


async def test_a_metric_written_while_watching_appears(store: Store):
    with store.session() as session:
        run_id = fill_running(session)
    app = KarlApp(store)
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, "training oapl-2, step 1", "0.375 (0.375..0.5)")
        with store.session() as session:
            add_losses(session, run_id, "oapl-2", values=[0.125], start=2)
        await until(pilot, "training oapl-2, step 2", "0.125 (0.125..0.5)")
        with store.session() as session:
            set_run_state(session, run_id, state=RunState.FAILED, error="disk full: [checkpoint]")
        await until(pilot, "filings-1: failed", "disk full: [checkpoint]", "1 run, 0 running")


async def test_a_resting_run_is_read_again_when_asked(store: Store):
    with store.session() as session:
        run_id = fill_done(session)
    app = KarlApp(store)
    async with app.run_test(size=LARGE) as pilot:
        await until(pilot, "step 1", "2 engine, 1 tool")
        with store.session() as session:
            add_metrics(session, run_id, iteration=1, series="sft-1", points=[(7, "loss", 0.5)])
        await pilot.press("r")
        await until(pilot, "training sft-1 (1 of 2), step 7")


async def test_a_new_run_leaves_the_cursor_where_it_was(store: Store):
    filled(store)
    app = KarlApp(store)
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, "filings-1: running")
        await pilot.press("down")
        await until(pilot, "notes-1: done")
        with store.session() as session:
            fill_running(session, name="later-1")
        await until(pilot, "3 runs, 2 running", "notes-1: done")
        assert app.screen.query_one(RunTable).cursor_row == 2


async def test_a_database_that_refuses_is_told_and_tried_again(store: Store):
    filled(store)
    app = KarlApp(store)
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, "filings-1: running")
        with store.session() as session:
            session.connection().execute(text("ALTER TABLE metric RENAME TO metric_away"))
        # The message is there before the screen is laid out anew around its second line.
        await until(pilot, "cannot read, trying again", "no such table: metric", "filings-1: running")
        with store.session() as session:
            session.connection().execute(text("ALTER TABLE metric_away RENAME TO metric"))
        await until(pilot, "2 runs, 1 running")
        assert not any("cannot read" in line for line in shown(app))


@pytest.mark.parametrize("size", [SMALL, (140, 42), LARGE], ids=str)
async def test_nothing_overlaps_or_is_cut(store: Store, size: tuple[int, int]):
    filled(store)
    app = KarlApp(store)
    async with app.run_test(size=size) as pilot:
        lines = await until(pilot, "filings-1: running", "0.375 (0.375..0.5)", "done   base")
        assert max(map(len, lines)) <= size[0]
        assert len(lines) <= size[1]
        assert not any("…" in line for line in lines[1:])  # the path of the store may be
        assert any("newest" in line and "corpus" in line for line in lines)
        panels = [app.screen.query_one(name).region for name in ("#status", "#runs", "#detail")]
        panels.append(app.screen.query_one(Footer).region)
        for one, other in combinations(panels, 2):
            assert not one.overlaps(other), (one, other)
        assert all(app.screen.region.contains_region(panel) for panel in panels)
        assert sum(panel.area for panel in panels) == size[0] * size[1]
        parts = [part.virtual_region for part in app.screen.query_one("#detail").children]
        assert all(upper.bottom <= lower.y for upper, lower in pairwise(parts))


async def test_resizing_stacks_what_stood_side_by_side(store: Store):
    filled(store)
    app = KarlApp(store)
    async with app.run_test(size=LARGE) as pilot:
        await until(pilot, "filings-1: running")
        runs, detail = (app.screen.query_one(name) for name in ("#runs", "#detail"))
        assert (runs.region.y, runs.region.right) == (detail.region.y, detail.region.x)
        await pilot.resize_terminal(*SMALL)
        await pilot.pause()
        assert (runs.region.x, runs.region.bottom) == (detail.region.x, detail.region.y)


async def test_keys_help_scrolling_and_quit(store: Store):
    filled(store)
    app = KarlApp(store)
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, "filings-1: running")
        await pilot.press("question_mark")
        await until(pilot, "quit; runs go on")
        await pilot.press("question_mark")
        await pilot.pause()
        assert isinstance(app.screen, RunsScreen)
        await pilot.press("tab", "end")
        await until(pilot, "failed rollouts", "none")
        await pilot.press("q")
    assert app.return_code == 0
    assert not app.is_running


async def test_a_picture_shows_the_first_screen(store: Store, tmp_path: Path):
    filled(store)
    drawn = await picture(store, columns=140, rows=42)
    assert drawn.startswith("<svg")
    for said in ("filings-1", "deduplicated", "training&#160;oapl-2", "0.375&#160;(0.375..0.5)"):
        assert said in drawn
