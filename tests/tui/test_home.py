"""The first room on a real store, driven by Textual's pilot."""

from __future__ import annotations

import sqlite3

from store.session import Store
from tests.tui.kit import app_on, fill_done, fill_running, filled, shown, until
from tui.screens.help import HelpScreen
from tui.screens.home import HomeScreen
from tui.screens.run import RunScreen
from tui.widgets.run_table import RunTable

SMALL = (80, 24)


async def test_an_empty_store_says_what_to_type(store: Store):
    app = app_on(store)
    async with app.run_test(size=SMALL) as pilot:
        lines = await until(pilot, "    karl demo", "0 runs, 0 running")
        assert not any("newest" in line for line in lines)
        with store.session() as session:
            fill_done(session)
        lines = await until(pilot, "notes-1-corpus", "1 run, 0 running")
        assert not any("karl demo" in line for line in lines)


async def test_runs_are_rows_newest_first(store: Store):
    filled(store)
    app = app_on(store)
    async with app.run_test(size=SMALL) as pilot:
        lines = await until(pilot, "2 runs, 1 running", "filings-1-corpus")
        rows = [line.split() for line in lines if "-corpus" in line]
        assert rows == [
            ["filings-1", "running", "filings-1-corpus", "1/3"],
            ["notes-1", "done", "notes-1-corpus", "1/1", "0.250", "0.500"],
        ]


async def test_a_new_run_leaves_the_cursor_where_it_was(store: Store):
    done, _ = filled(store)
    app = app_on(store)
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, "2 runs, 1 running")
        await pilot.press("down")
        with store.session() as session:
            fill_running(session, name="later-1")
        await until(pilot, "3 runs, 2 running")
        assert app.screen.query_one(RunTable).cursor_row == 2
        assert app.desk.run_id == done


async def test_a_locked_database_is_told_and_read_when_it_is_free(store: Store):
    filled(store)
    patient = Store.open(store.url.render_as_string(), patience=0.1)
    app = app_on(patient)
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, "2 runs, 1 running")
        patient.close()  # the connection that it held: the lock below is against new ones, too
        with sqlite3.connect(str(store.url.database), isolation_level=None) as locked:
            store.close()
            locked.execute("PRAGMA locking_mode=EXCLUSIVE")
            locked.execute("BEGIN EXCLUSIVE")
            locked.execute("UPDATE run SET state = 'DONE'")
            await until(pilot, "cannot read, trying again", "database is locked", "notes-1-corpus")
            locked.execute("COMMIT")
        locked.close()
        lines = await until(pilot, "2 runs, 0 running")
        assert not any("cannot read" in line for line in lines)
    patient.close()


async def test_rooms_by_key_and_the_run_by_enter(store: Store):
    filled(store)
    app = app_on(store)
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, "[1 Home]", "2 runs, 1 running")
        await pilot.press("down", "enter")
        await until(pilot, "[3 Run]", "notes-1: done, started")
        assert isinstance(app.screen, RunScreen)
        await pilot.press("1")
        await until(pilot, "[1 Home]")
        assert isinstance(app.screen, HomeScreen)


async def test_keys_help_and_quit(store: Store):
    filled(store)
    app = app_on(store, room="run")
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, "filings-1: running")
        await pilot.press("question_mark")
        await until(pilot, "quit; runs go on", "Next training")
        assert isinstance(app.screen, HelpScreen)
        await pilot.press("question_mark")
        await until(pilot, "filings-1: running")
        assert not any("quit; runs go on" in line for line in shown(app))
        await pilot.press("q")
    assert app.return_code == 0
    assert not app.is_running
