"""The room that starts runs, driven by Textual's pilot: what is typed is checked, told, and started for real."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from store.session import Store
from tests.karl.control.control_kit import add_checkpoint, add_corpus, add_earlier_run, environment
from tests.tui.kit import app_on, until
from tui.desk import Wish
from tui.screens.launch import LaunchScreen
from tui.widgets.launch_form import LaunchForm

SMALL, LARGE = (80, 24), (200, 60)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KARL_HOME", raising=False)
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def with_notes(store: Store) -> int:
    with store.session() as session:
        corpus = add_corpus(session)
        settings = {"corpus": "notes", "seed": 7, "recipe": "tiny", "anchors": 0.25}
        run = add_earlier_run(session, corpus, settings)
        add_checkpoint(session, run, "notes-1/oapl-1", path="trained")
        return run


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_a_newcomer_finds_the_demo_filled_in(store: Store, size: tuple[int, int]):
    app = app_on(store, room="launch")
    async with app.run_test(size=size) as pilot:
        lines = await until(
            pilot, "ready: ctrl+s starts it", "the demo: two generated companies", "18,000", "home demo"
        )
        assert all(len(line) <= size[0] for line in lines)
        if size == LARGE:
            assert any("qa_generator" in line and "built-in" in line for line in lines)
            assert any("unknown: no price of karl-tiny" in line for line in lines)


async def test_what_is_typed_is_checked(store: Store):
    with_notes(store)
    app = app_on(store, room="launch")
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await until(pilot, "choose a corpus", "1 thing to mend")
        await pilot.press("ctrl+s")
        await until(pilot, "something is to be mended")
        app.screen.query_one(LaunchForm).fill({"corpus": "notes"})
        await until(pilot, "ready: ctrl+s", "run --corpus notes")
        field = app.screen.query_one("#field-iterations Input", Input)
        field.focus()
        await pilot.press("0")
        lines = await until(
            pilot, "✗ Input should be greater than or equal to 1", "1 thing to mend", "rounds of questions"
        )
        assert sum("greater than or equal to 1" in line for line in lines) == 2  # at the field, and in the summary
        await pilot.press("backspace", "3")
        await until(pilot, "--iterations 3", "ready: ctrl+s")
        await pilot.press("escape", "y")
        await until(pilot, "copied: karl")
        assert app.clipboard.endswith("run --corpus notes --iterations 3")


async def test_a_run_like_another_with_changes(store: Store):
    run = with_notes(store)
    app = app_on(store, room="home")
    async with app.run_test(size=LARGE) as pilot:
        await until(pilot, "1 run, 0 running")
        app.desk.wish = Wish(like=run)
        await pilot.press("2")
        await until(pilot, "--corpus notes", "--seed 7", "--set anchors=0.25", "ready: ctrl+s")
        assert app.desk.wish is None
        app.desk.wish = Wish(like=99)
        await pilot.press("1")
        await until(pilot, "[1 Home]")
        await pilot.press("2")
        await until(pilot, "that run is gone from the store", "--corpus notes")


async def test_an_advanced_setting_that_is_wrong_is_shown(store: Store):
    with_notes(store)
    app = app_on(store, room="launch")
    async with app.run_test(size=LARGE) as pilot:
        await until(pilot, "choose a corpus", "▶ advanced")
        app.screen.query_one(LaunchForm).fill({"corpus": "notes", "anchors": "2"})
        await until(pilot, "▼ advanced", "anchors: Input should be less than or equal to 1")


async def test_a_process_that_dies_first_shows_its_last_words(store: Store, tmp_path: Path):
    with_notes(store)
    app = app_on(store, room="launch")
    async with app.run_test(size=LARGE) as pilot:
        app.screen.query_one(LaunchForm).fill({"corpus": "notes"})
        await until(pilot, "ready: ctrl+s")
        (tmp_path / "karl.toml").write_text("concurency = 1\n")  # since the settings were read
        await pilot.press("ctrl+s")
        await until(pilot, "its last words", "did you mean 'concurrency'?")
        await pilot.press("escape")
        await until(pilot, "[2 Launch]")
        assert isinstance(app.screen, LaunchScreen)
