"""The room of one run on a real store, driven by Textual's pilot: what is stored is what is seen."""

from __future__ import annotations

from sqlalchemy import text

from store.queries import add_metrics, set_run_state
from store.session import Store
from store.types import RunState
from tests.tui.kit import add_losses, app_on, fill_done, fill_running, filled, shown, until

SMALL, LARGE = (80, 24), (200, 60)


def words(lines: list[str], first: str) -> list[str]:
    """The words of the one line that begins with `first`."""
    (line,) = [line for line in lines if line.strip().startswith(first)]
    return line.split()


async def test_a_run_shows_its_funnel(store: Store):
    done, _ = filled(store)
    app = app_on(store, room="run")
    async with app.run_test(size=SMALL) as pilot:
        lines = await until(pilot, "filings-1: running", "1 done 12 s", "2 train 0 s")
        counts = [[word for word in words(lines, stage) if word.isdigit()] for stage in ("proposed", "kept")]
        assert counts == [["20", "9"], ["5", "0"]]
        app.desk.run_id = done
        lines = await until(pilot, "notes-1: done", "dropped: 6 all wrong, 5 duplicate")
        stages = ("proposed", "well formed", "deduplicated", "rolled out", "mixed", "kept")
        numbers = [int(next(word for word in words(lines, stage) if word.isdigit())) for stage in stages]
        assert numbers == [20, 18, 13, 12, 6, 5]
        bars = [words(lines, stage)[-1] for stage in stages]
        assert [len(bar) for bar in bars] == sorted((len(bar) for bar in bars), reverse=True)
        assert set(bars[0]) == {"█"}


async def test_training_evaluation_and_failures_of_a_run(store: Store):
    with store.session() as session:
        fill_done(session)
    app = app_on(store, room="run")
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
    app = app_on(store, room="run")
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, "training oapl-2, step 1", "0.375 (0.375..0.5)")
        with store.session() as session:
            add_losses(session, run_id, "oapl-2", values=[0.125], start=2)
        await until(pilot, "training oapl-2, step 2", "0.125 (0.125..0.5)")
        with store.session() as session:
            set_run_state(session, run_id, state=RunState.FAILED, error="disk full: [checkpoint]")
        await until(pilot, "filings-1: failed", "disk full: [checkpoint]")


async def test_a_resting_run_is_read_again_when_asked(store: Store):
    with store.session() as session:
        run_id = fill_done(session)
    app = app_on(store, room="run")
    async with app.run_test(size=LARGE) as pilot:
        await until(pilot, "step 1", "2 engine, 1 tool")
        with store.session() as session:
            add_metrics(session, run_id, iteration=1, series="sft-1", points=[(7, "loss", 0.5)])
        await pilot.press("r")
        await until(pilot, "training sft-1 (1 of 2), step 7")


async def test_a_database_that_refuses_is_told_and_tried_again(store: Store):
    filled(store)
    app = app_on(store, room="run")
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, "filings-1: running")
        with store.session() as session:
            session.connection().execute(text("ALTER TABLE metric RENAME TO metric_away"))
        # The message is there before the screen is laid out anew around its second line.
        await until(pilot, "cannot read, trying again", "no such table: metric", "filings-1: running")
        with store.session() as session:
            session.connection().execute(text("ALTER TABLE metric_away RENAME TO metric"))
        await until(pilot, "filings-1: running  read")
        assert not any("cannot read" in line for line in shown(app))
