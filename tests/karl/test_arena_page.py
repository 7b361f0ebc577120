"""The local page in a real browser: asked, watched, voted on by keyboard; and what a model writes stays text."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agents.engines.base import GenerateRequest
from store.errors import KarlError
from tests.harness_kit import scripted_policy
from tests.karl.api_kit import make_corpus
from tests.karl.arena_kit import COLD, HOT
from tests.karl.browser import browser, missing
from tests.karl.test_arena_server import says, served

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=f"no browser to try the page in: {missing()} not found"),
]
TAB, SPACE, ENTER, DOWN = "\ue004", " ", "\ue007", "\ue015"
EVIL = "<img src=x onerror=obeyed=1>"  # short: the graph lets a turn have few tokens
CHOSEN = "document.querySelector('input[name=choice]:checked')"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return make_corpus(tmp_path)


async def test_ask_watch_and_vote_by_keyboard(home: Path) -> None:
    go_on = asyncio.Event()

    async def searches_then_waits(request: GenerateRequest) -> str:
        if "<|tool|>" not in cold.decode(list(request.prompt_ids)):
            return "<search>mira</search>"
        await go_on.wait()
        return f"<answer>Oslo {EVIL}</answer>"

    cold = scripted_policy(searches_then_waits)
    async with served(home, cold=cold, hot=says("Lima")) as client, browser() as page:
        await page.open(f"http://127.0.0.1:{client.port}/")
        await page.until("document.querySelectorAll('input[name=system]').length === 2")
        # Both systems are chosen and blind is on: from the question five keys lead to the button.
        await page.type("#question", f"Where does Mira work? {EVIL}")
        await page.click("#question")
        await page.press(*[TAB] * 5, ENTER)
        searching = await page.until(
            "[...document.querySelectorAll('.column')].find(c => c.innerText.includes('search: mira'))?.id"
        )
        assert await page.run("return document.activeElement.id") == "asked"
        other = "B" if searching == "column-A" else "A"
        await page.until(f"document.querySelector('#column-{other}.answered')")
        # One has answered; the other still shows what it does, and no vote is offered yet.
        assert await page.run(f"return document.querySelector('#{searching}').classList.length") == 2
        assert await page.run("return document.querySelector('#vote').hidden")
        go_on.set()
        await page.until("!document.querySelector('#vote').hidden")
        shown = await page.text(f"#{searching} .answer")
        assert shown == f"Oslo {EVIL}" and EVIL in await page.text("#asked")
        assert not await page.run("return window.obeyed") and not await page.run(
            "return document.querySelector('#battle img')"
        )
        assert "embedded" not in await page.text("#battle")
        # From the form's last passage on: Tab to the choices, arrows choose, Tab to the note, Enter votes.
        await page.run("document.querySelector('input[name=choice]').focus()")
        await page.press(SPACE, DOWN)
        assert await page.run(f"return {CHOSEN}.value") == "B"
        await page.press(TAB, *"good", ENTER)
        await page.until("document.querySelector('#verdict').innerText.startsWith('Voted: B.')")
        verdict = await page.text("#verdict")
        named = {COLD: searching[-1], HOT: other}
        assert all(f"{letter} was {name}" in verdict for name, letter in named.items())
        assert await page.run("return document.activeElement.id") == "verdict"
        assert await page.run("return document.querySelector('#column-B').classList.contains('chosen')")
        await page.until("document.querySelectorAll('#ratings tbody tr').length === 2")
        assert "1 battle, 1 vote: 1 for one system" in await page.text("#board-summary")
        assert await page.run("return document.querySelector('#vote').hidden")
        # Nothing came from anywhere else.
        asked = await page.run("return performance.getEntriesByType('resource').map(one => new URL(one.name).host)")
        assert set(asked) == {f"127.0.0.1:{client.port}"}
        assert (await page.picture()).startswith(b"\x89PNG")


async def test_failures_and_mistakes_are_told_and_dark_is_dark(home: Path) -> None:
    async with served(home, hot=KarlError(f"endpoint down {EVIL}")) as client, browser() as page:
        await page.open(f"http://127.0.0.1:{client.port}/")
        await page.until("document.querySelectorAll('input[name=system]').length === 2")
        light = await page.run("return getComputedStyle(document.body).backgroundColor")
        await page.dark(width=420)
        dark = await page.run("return getComputedStyle(document.body).backgroundColor")
        assert light != dark
        await page.click("input[name=system]")
        await page.type("#question", "who?")
        await page.click("#send")
        await page.until("document.querySelector('#problem').innerText === 'choose at least two systems'")
        await page.click("input[name=system]")
        await page.click("#blind")
        await page.click("#send")
        await page.until("!document.querySelector('#vote').hidden")
        assert await page.text("#column-B .reason") == f"endpoint down {EVIL}" and not await page.run(
            "return window.obeyed"
        )
        assert await page.text("#column-B h3") == f"B: {HOT}"
        values = "return [...document.querySelectorAll('input[name=choice]')].map(one => one.value)"
        assert await page.run(values) == ["A", "none"]
        # A narrow window scrolls down, never sideways.
        assert await page.run("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        await page.click("#cast")
        await page.until("document.querySelector('#vote-problem').innerText.startsWith('choose an answer')")
