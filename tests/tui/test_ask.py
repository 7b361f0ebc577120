"""The room where questions are asked, on a real corpus and with a real process, whose models a script plays."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text
from textual.widgets import Button, Input, Select

from store.queries import arena_battles
from store.session import Store
from store.value_record import VALUE_FILE
from tests.karl.api_kit import make_corpus, stored_rollouts
from tests.tui.ask_kit import QUESTION, add_checkpoint, played, write
from tests.tui.kit import app_on, shown, until
from tui.screens.ask_setup import AskSetupScreen
from tui.screens.passages import PassagesScreen

SMALL, LARGE = (80, 24), (200, 60)


async def test_without_a_corpus_it_says_what_to_type(store: Store, tmp_path: Path) -> None:
    app = app_on(store, room="ask")
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, "No corpus to ask about yet", "    karl ingest FOLDER --name NAME")
        make_corpus(tmp_path)
        lines = await until(pilot, "notes: embedded", "Type a question and press Enter")
        assert not any("karl ingest" in line for line in lines)


async def test_a_database_that_refuses_is_told(store: Store) -> None:
    with store.session() as session:
        session.connection().execute(text("ALTER TABLE corpus RENAME TO gone"))
    app = app_on(store, room="ask")
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, "cannot read, trying again")
        with store.session() as session:
            session.connection().execute(text("ALTER TABLE gone RENAME TO corpus"))
        await until(pilot, "No corpus to ask about yet")


async def test_a_conversation(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played(monkeypatch)
    home = make_corpus(tmp_path)
    app = app_on(store, room="ask")
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, "notes: embedded")
        await pilot.press("w", "1")
        # A digit in the line is a digit. The model is loaded while the question is being typed.
        await until(pilot, "w1", "ready: karl-tiny")
        write(pilot, QUESTION)
        await pilot.press("enter")
        lines = await until(pilot, "> where does mira work?", "search: falcon oslo", "2 searches", "sampled")
        assert any(line.strip() == "Oslo" for line in lines)
        assert any("[teams/falcon.md#0] # Falcon Falcon works in Oslo." in line for line in lines)

        # Escape leaves the line for the answer; below it is the passage that it cites.
        await pilot.press("escape", "down", "enter")
        lines = await until(pilot, "1 passage", "Falcon works in Oslo.")
        assert isinstance(app.screen, PassagesScreen)
        await pilot.press("escape", "up", "up", "enter")
        lines = await until(pilot, "score")
        await pilot.press("escape")

        # Its document is gone.
        (tmp_path / "notes" / "teams" / "falcon.md").unlink()
        await pilot.press("down", "down", "o")
        await until(pilot, "teams/falcon.md#0 (the file is not there)", "Falcon works in Oslo.")
        await pilot.press("escape")

        # Its trace is the one in the store.
        (key,) = stored_rollouts(home)
        await pilot.press("t")
        await until(pilot, "[4 Traces]", QUESTION, "falcon oslo")
        await pilot.press("6")
        await until(pilot, "[6 Ask]", "> where does mira work?")

        # What was asked comes back; what is cancelled ends, and is not stored.
        await pilot.press("a", "up")
        await until(pilot, QUESTION)
        write(pilot, "wait for ever")
        await pilot.press("enter")
        await until(pilot, "> wait for ever", "answering; Escape cancels")
        await pilot.press("escape")
        await until(pilot, "cancelled")
        assert stored_rollouts(home) == [key]

        # A process that dies is told.
        write(pilot, "now die please")
        await pilot.press("enter")
        await until(pilot, "no answer: the process that answers ended with status 3: out of memory")


async def test_two_side_by_side_with_a_vote(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played(monkeypatch)
    make_corpus(tmp_path)
    add_checkpoint(store, tmp_path / "trained", name="notes-1/oapl-1")
    app = app_on(store, room="ask")
    async with app.run_test(size=LARGE) as pilot:
        await until(pilot, "notes: notes-1/oapl-1")
        await pilot.press("escape", "c")
        await until(pilot, "who is asked about what", "no value model in")
        app.screen.query_one("#b", Select).value = "embedded"
        app.screen.query_one("#blind", Select).value = True
        app.screen.query_one("#take", Button).press()
        await until(pilot, "notes: notes-1/oapl-1 against embedded, blind")
        write(pilot, QUESTION)
        await pilot.press("enter")
        lines = await until(pilot, "which is better?", "1 A   2 B   3 tie   0 all bad", "has no vote yet")
        told = "\n".join(lines[lines.index(next(line for line in lines if "> where" in line)) :])
        assert "oapl" not in told
        assert "embedded" not in told
        # Beside each other where there is room, below each other where there is not.
        assert any(line.count("search: mira") == 2 for line in lines)
        await pilot.resize_terminal(*SMALL)
        lines = await until(pilot, "which is better?", "search: mira")
        assert not any(line.count("search: mira") == 2 for line in lines)

        await pilot.press("2")
        await until(pilot, "B; a note?")
        await pilot.resize_terminal(*LARGE)
        await pilot.press(*"why", "enter")
        await until(pilot, "voted B (why)", "A: ", "B: ")
        with store.session() as session:
            (record,) = arena_battles(session)
        assert record.winner is not None
        assert record.vote is not None
        assert (record.winner.answer.letter, record.vote.note, record.battle.blind) == ("B", "why", True)
        names = [f"{column.answer.letter}: {column.system.name}" for column in record.columns]
        lines = await until(pilot, *names)

        await pilot.press("escape", "b")
        lines = await until(pilot, "scoreboard over notes", "1 battle over corpus notes, 1 vote", "rating (95%)")
        rows = [line for line in lines if record.winner.system.name in line and "1.000" in line]
        assert len(rows) == 1


async def test_what_cannot_be_chosen_is_said(store: Store, tmp_path: Path) -> None:
    home = make_corpus(tmp_path)
    app = app_on(store, room="ask")
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, "notes: embedded")
        await pilot.press("escape", "c")
        lines = await until(pilot, "no value model in")
        assert not any("value-guided" in line for line in lines)
        app.screen.query_one("#attempts", Input).value = "0"
        app.screen.query_one("#take", Button).press()
        await until(pilot, "N: a whole number from 1 to 64")
        app.screen.query_one("#attempts", Input).value = "5"
        app.screen.query_one("#b", Select).value = "embedded"
        app.screen.query_one("#take", Button).press()
        await until(pilot, "A and B are the same")
        await pilot.press("escape")
        await until(pilot, "notes: embedded")

        # A value model that is found is offered, with the searches that it guides.
        (home / "values" / "one").mkdir(parents=True)
        (home / "values" / "one" / VALUE_FILE).write_text("{}")
        await pilot.press("r")
        await pilot.pause()
        await app.workers.wait_for_complete()
        await pilot.press("c")
        await until(pilot, "one")
        assert isinstance(app.screen, AskSetupScreen)
        app.screen.query_one("#a-way", Select).value = app.screen.query_one("#a-way", Select)._options[-1][1]
        app.screen.query_one("#attempts", Input).value = "4"
        app.screen.query_one("#take", Button).press()
        await until(pilot, "notes: embedded, 4 guided searches")
        assert not any("who is asked" in line for line in shown(app))
