"""The first room on a real store, driven by Textual's pilot."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys

import pytest
from sqlalchemy import text

from store.session import Store
from tests.karl.control.control_kit import environment
from tests.tui.home_kit import add_checkpoint, add_progress, home_of, leave_lock
from tests.tui.kit import app_on, fill_done, fill_running, filled, shown, until
from tui.screens.help import HelpScreen
from tui.screens.home import HomeScreen
from tui.screens.launch import LaunchScreen
from tui.screens.run import RunScreen
from tui.screens.stop import StopScreen
from tui.widgets.keys import Keys
from tui.widgets.run_table import RunTable

SMALL, LARGE = (80, 24), (200, 60)
# Owns the run filings-1 and says which signals come.
OWN = """
import signal, sys
from pathlib import Path
from karl.run_lock import run_lock
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, _: print(signal.Signals(number).name, flush=True))
with run_lock(Path(sys.argv[1]), name="filings-1"):
    print("owned", flush=True)
    for line in sys.stdin:
        pass
"""


def row_of(lines: list[str], name: str) -> list[str]:
    (line,) = [line for line in lines if line.strip().startswith(f"{name} ")]
    return line.split()


async def test_an_empty_store_says_what_to_type(store: Store):
    app = app_on(store)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        lines = await until(pilot, "    karl demo", "0 runs, 0 running")
        assert not any("best" in line for line in lines)
        with store.session() as session:
            fill_done(session)
        lines = await until(pilot, "notes-1 ", "1 run, 0 running", "━runs")
        assert not any("karl demo" in line for line in lines)


async def test_runs_are_rows_newest_first(store: Store):
    filled(store)
    app = app_on(store)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        lines = await until(pilot, "2 runs, 1 running", "filings-1", "0.500")
        assert [line.split() for line in lines if "-1 " in line] == [
            ["filings-1", "▶", "running", "1/3"],
            ["notes-1", "✓", "done", "1/1", "0.500"],
        ]


@pytest.mark.parametrize(
    ("size", "cells"),
    [
        (SMALL, ["filings-1", "▶", "running", "1/3", "solving", "30%", "3", "min", "30", "s"]),
        (LARGE, ["filings-1", "▶", "running", "1/3", "solving", "300/1,000", "3.3/s", "3", "min", "30", "s"]),
    ],
)
async def test_a_stage_with_its_rate_and_what_is_left(store: Store, size: tuple[int, int], cells: list[str]):
    _, running = filled(store)
    with store.session() as session:
        add_progress(session, running)
    app = app_on(store)
    async with app.run_test(size=size, notifications=True) as pilot:
        lines = await until(pilot, "2 runs, 1 running", "solving")
        assert row_of(lines, "filings-1")[: len(cells)] == cells
        assert all(len(line) <= size[0] for line in lines)


async def test_a_run_whose_process_was_killed_is_lost(store: Store):
    _, running = filled(store)
    with store.session() as session:
        add_progress(session, running)
    leave_lock(home_of(store), "filings-1")
    app = app_on(store)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        lines = await until(pilot, "2 runs, 0 running", "? lost")
        assert row_of(lines, "filings-1") == ["filings-1", "?", "lost", "1/3", "solving", "30%"]  # no time left
        await pilot.press("p")
        await until(pilot, "run filings-1 is lost")
        await pilot.press("down", "c")
        await until(pilot, "run notes-1 is done")


async def test_a_run_is_paused_woken_and_stopped(store: Store):
    filled(store)
    arguments = [sys.executable, "-c", OWN, str(home_of(store))]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(arguments, env=environment(), **pipes) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "owned\n"
        app = app_on(store)
        async with app.run_test(size=SMALL, notifications=True) as pilot:
            await until(pilot, "▶ running")
            await pilot.press("p")
            await until(pilot, "‖ paused", "p wakes it")
            await pilot.press("p")
            await until(pilot, "▶ running", "run filings-1 goes on")
            await pilot.press("x")
            await until(pilot, "stop run filings-1?", "let it run (esc)")
            await pilot.press("escape")
            assert isinstance(app.screen, HomeScreen)
            await pilot.press("x", "s")
            await until(pilot, "run filings-1 stops when")
            assert owner.stdout.readline() == "SIGINT\n"
            await pilot.press("x")
            assert isinstance(app.screen, StopScreen)
            await pilot.press("down", "enter")
            await until(pilot, "run filings-1 ends")
            assert {owner.stdout.readline(), owner.stdout.readline()} == {"SIGINT\n", "SIGTERM\n"}
        assert owner.poll() is None  # quitting ends no run
        owner.send_signal(signal.SIGKILL)


async def test_a_run_that_cannot_go_on_shows_its_last_words(store: Store, monkeypatch: pytest.MonkeyPatch):
    with store.session() as session:
        fill_running(session)  # its settings are not of `karl run`: they name no corpus
    leave_lock(home_of(store), "filings-1")
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    app = app_on(store)
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        await until(pilot, "? lost")
        await pilot.press("c")
        await until(pilot, "run filings-1 did not go on", "that are not of `karl run`")
        await pilot.press("escape")
        assert isinstance(app.screen, HomeScreen)


async def test_corpora_checkpoints_and_health(store: Store):
    done, _ = filled(store)
    with store.session() as session:
        add_checkpoint(session, done, "notes-1/oapl-9", rate=0.625)
    app = app_on(store)
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        lines = await until(pilot, "2 corpora", "notes-1/oapl-9", "all that is needed is there", "✓ torch")
        assert any("filings-1-corpus" in line and "notes-1/oapl-9" in line for line in lines)  # side by side
        assert "0.625" in next(line for line in lines if "notes-1/oapl-9" in line)
    app = app_on(store)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        # Two runs need little room: something of every part is seen, and all of the one that has the focus.
        await until(pilot, "newest 1 checkpoint─", "all that is needed is there", "filings-1-corpus", "notes-1/oapl-9")
        await pilot.press("tab")
        await until(pilot, "filings-1-corpus", "notes-1-corpus", "0.625")
        await pilot.press("tab", "tab")
        await until(pilot, "judge: rules")


async def test_a_corpus_and_a_run_lead_to_the_launch_room(store: Store):
    filled(store)
    app = app_on(store)
    async with app.run_test(size=(140, 50), notifications=True) as pilot:
        await until(pilot, "2 corpora")
        await pilot.press("tab", "down", "enter")
        await until(pilot, "[2 Launch]", "karl --home", "--corpus notes-1-corpus")
        assert isinstance(app.screen, LaunchScreen)
        app.switch_mode("home")
        await until(pilot, "[1 Home]")
        app.screen.query_one(RunTable).focus()
        await pilot.press("n")
        await until(pilot, "[2 Launch]", "choose a corpus")  # the run was of none
        assert app.screen.query_one("#field-iterations Input").value == "3"  # pyright: ignore
        # Whatever had the focus before, a form that was filled in is begun at its first field.
        assert any(line.startswith(" ▌corpus") for line in shown(app))


async def test_a_new_run_leaves_the_cursor_where_it_was(store: Store):
    done, _ = filled(store)
    app = app_on(store)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
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
            await until(pilot, "cannot read, trying again", "database is locked", "filings-1", "notes-1")
            locked.execute("COMMIT")
        locked.close()
        lines = await until(pilot, "2 runs, 0 running")
        assert not any("cannot read" in line for line in lines)
    patient.close()


async def test_resizing_shows_the_columns_that_fit(store: Store):
    done, _ = filled(store)
    app = app_on(store)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await until(pilot, "2 runs, 1 running")
        await pilot.press("down")
        await pilot.resize_terminal(*LARGE)
        await until(pilot, "corpus", "filings-1-corpus", "started", "ended")
        await pilot.resize_terminal(*SMALL)
        await until(pilot, "left")
        assert not any("started" in line for line in shown(app))
        assert app.desk.run_id == done


async def test_a_database_that_refuses_is_told_and_tried_again(store: Store):
    filled(store)
    app = app_on(store)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await until(pilot, "2 runs, 1 running")
        with store.session() as session:
            session.connection().execute(text("ALTER TABLE checkpoint RENAME TO checkpoint_away"))
        await until(pilot, "cannot read, trying again", "no such table: checkpoint", "filings-1")
        with store.session() as session:
            session.connection().execute(text("ALTER TABLE checkpoint_away RENAME TO checkpoint"))
        await until(pilot, "2 runs, 1 running")


async def test_rooms_by_key_and_the_run_by_enter(store: Store):
    filled(store)
    app = app_on(store)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await until(pilot, "[1 Home]", "2 runs, 1 running")
        await pilot.press("down", "enter")
        await until(pilot, "[3 Run]", "notes-1: done, iteration 1 of 1")
        assert isinstance(app.screen, RunScreen)
        await pilot.press("1")
        await until(pilot, "[1 Home]")
        assert isinstance(app.screen, HomeScreen)


async def test_the_palette_offers_rooms_actions_and_themes(store: Store):
    filled(store)
    app = app_on(store)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await until(pilot, "2 runs, 1 running")
        titles = [command.title for command in app.get_system_commands(app.screen)]
        assert titles[0] == "Pause or wake the run"
        assert {"Room: Home", "Room: Launch", "Theme", "Quit"} <= set(titles)
        await pilot.press("ctrl+p", *"launch")
        await until(pilot, "Room: Launch")
        await pilot.press("enter")
        await until(pilot, "[2 Launch]")


async def test_keys_help_and_quit(store: Store):
    filled(store)
    app = app_on(store, room="run")
    async with app.run_test(size=(80, 40), notifications=True) as pilot:
        await until(pilot, "filings-1: running")
        await pilot.press("question_mark")
        await until(pilot, "quit; runs go on", "the next training of the run")
        assert isinstance(app.screen, HelpScreen)
        await pilot.press("question_mark")
        await until(pilot, "filings-1: running")
        assert not any("quit; runs go on" in line for line in shown(app))
        await pilot.press("q")
    assert app.return_code == 0
    assert not app.is_running


async def test_keys_that_a_run_has_no_use_for_are_dim(store: Store):
    with store.session() as session:
        fill_done(session)
    app = app_on(store)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "notes-1")
        assert app.screen.idle_actions == {"pause", "stop", "resume"}  # pyright: ignore
        dim = [key.does for key in app.screen.query_one(Keys)._keys if not key.enabled]
        assert dim == ["Pause", "Stop", "Go on"]
