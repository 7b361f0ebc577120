"""The line of keys: what fits, what is always there, what a click does; rooms with another theme than before."""

from __future__ import annotations

from textual.color import Color
from textual.style import Style

from store.session import Store
from tests.tui.kit import app_on, until
from tui.screens.help import HelpScreen
from tui.widgets.keys import Key, Keys, keys_text

FILTER = Key("slash", "/", "Filter", "filter", enabled=True)
EXPORT = Key("e", "e", "Export", "export", enabled=True)
HELP = Key("question_mark", "?", "Keys", "help", enabled=True)
PALETTE = Key("ctrl+p", "^p", "palette", "command_palette", enabled=True)


def test_the_last_ones_stand_at_the_right():
    line = keys_text([FILTER, PALETTE, EXPORT, HELP], width=50, style=Style())
    assert line.plain == " / Filter  e Export " + " " * 10 + " ? Keys  ^p palette "


def test_what_does_not_fit_is_left_out_whole():
    line = keys_text([FILTER, EXPORT, HELP, PALETTE], width=38, style=Style())
    assert line.plain == " / Filter " + " " * 8 + " ? Keys  ^p palette "


def test_what_does_nothing_now_is_dim():
    line = keys_text([FILTER._replace(enabled=False), EXPORT], width=24, style=Style())
    dim = [line.plain[span.start : span.end] for span in line.spans if getattr(span.style, "dim", None)]
    assert dim == [" / Filter "]


async def test_a_click_presses_the_key(store: Store):
    app = app_on(store)
    async with app.run_test(size=(80, 24)) as pilot:
        lines = await until(pilot, "? Keys")
        column = next(line.index("? Keys") for line in lines if "? Keys" in line)
        await pilot.click(Keys, offset=(column, 0))
        await until(pilot, "stop the run; asks first")
        assert isinstance(app.screen, HelpScreen)


async def test_a_room_that_was_left_takes_a_new_theme(store: Store):
    app = app_on(store)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "[1 Home]")
        before = app.screen.query_one(Keys).styles.background
        await pilot.press("6")
        await until(pilot, "[6 Ask]")
        app.theme = "karl-light"
        await pilot.press("1")
        await until(pilot, "[1 Home]")
        after = app.screen.query_one(Keys).styles.background
        assert after == Color.parse(app.theme_variables["footer-background"]) != before
