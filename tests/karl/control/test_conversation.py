"""Conversations with real processes, their models played by a script but for one."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from agents.spawning import same_imports
from karl.control.answerer import Answerer
from karl.control.conversation import Conversation
from karl.control.events import Answered, Compared, Event, Failed, Hits, Loading, Ready, SearchStarted, Spoke, Token
from karl.settings import load_settings
from store.errors import KarlError
from tests.karl.api_kit import make_corpus, stored_rollouts
from tests.karl.control.played import MODULE

QUESTION = "where does mira work?"
PATIENCE = 30.0
PARENT = """
import asyncio, sys, time
from pathlib import Path
from karl.control.conversation import Conversation
from karl.settings import load_settings
assert not {"torch", "transformers", "langgraph", "langchain_core"} & {name.split(".")[0] for name in sys.modules}

async def main():
    conversation = Conversation(load_settings(home=Path(sys.argv[1])), corpus="notes", module=sys.argv[2])
    async for event in conversation.ask("wait for ever"):
        print(conversation.pid, flush=True)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("notes"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def answerer(home: Path) -> AsyncIterator[Answerer]:
    opened = Answerer(load_settings(home=home), module=MODULE)
    yield opened
    await opened.aclose()


async def heard(events: AsyncIterator[Event]) -> list[Event]:
    return [event async for event in events]


@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_wrong_is_told_and_the_conversation_goes_on(answerer: Answerer) -> None:
    with pytest.raises(KarlError, match="did you mean 'embedded'"):
        await answerer.ready(["embeded"], "notes")
    hot = await heard(answerer.ask("embedded:temperature=2", "notes", QUESTION))
    assert hot[-1] == Failed("too hot")
    nowhere = await heard(answerer.ask("newest:graph=slover", "notes", QUESTION))
    assert isinstance(nowhere[-1], Failed)
    assert nowhere[-1].reason.endswith("did you mean 'solver'?")
    # The store keeps what was trained: nothing, so that the newest is the one that ships.
    assert await answerer.ready(["newest:temperature=0.5"], "notes") == Ready(("karl-tiny",))


@pytest.mark.asyncio(loop_scope="module")
async def test_a_battle_blind_then_voted_on(answerer: Answerer, home: Path) -> None:
    events = await heard(
        answerer.compare(["embedded", "embedded:temperature=1"], "notes", QUESTION, blind=True, seed=1)
    )
    assert events[0] == Loading("loading embedded and embedded:temperature=1")
    ends = {event.letter: event.told.text for event in events if isinstance(event, Spoke) and event.told.last}
    assert ends == {"A": "Oslo", "B": "Oslo"}
    battle = events[-1]
    assert isinstance(battle, Compared)
    assert battle.choices == ("A", "B", "tie", "none")
    assert [(one.letter, one.system, one.trace_id) for one in battle.entrants] == [("A", "", ""), ("B", "", "")]
    voted = (await heard(answerer.vote(battle.key, "b", note="shorter")))[-1]
    assert isinstance(voted, Compared)
    assert (voted.vote, voted.note, voted.choices) == ("B", "shorter", ())
    assert {one.system for one in voted.entrants} == {"embedded", "embedded:temperature=1"}
    assert {one.trace_id for one in voted.entrants} <= set(stored_rollouts(home))
    twice = (await heard(answerer.vote(battle.key, "a")))[-1]
    assert isinstance(twice, Failed)
    assert "has its vote" in twice.reason


@pytest.mark.asyncio(loop_scope="module")
async def test_questions_one_after_the_other_until_it_dies_and_is_started_anew(answerer: Answerer, home: Path) -> None:
    events = await heard(answerer.ask("embedded", "notes", QUESTION))
    assert [event.query for event in events if isinstance(event, SearchStarted)] == ["mira", "falcon oslo"]
    assert next(event.hits[0].key for event in events if isinstance(event, Hits)) == "people/mira.md#0"
    last = events[-1]
    assert isinstance(last, Answered)
    stored = stored_rollouts(home)
    assert (last.answer, last.usage.searches, last.trace_id in stored) == ("Oslo", 2, True)

    # Cancelled, nothing is stored, and the model stays.
    first = answerer.pid
    cancelled = list[Event]()
    async for event in answerer.ask("embedded", "notes", "wait for ever"):
        cancelled.append(event)
        if isinstance(event, Hits):
            await answerer.cancel()
    assert cancelled[-1] == Failed("cancelled", cancelled=True)
    again = await heard(answerer.ask("embedded", "notes", QUESTION))
    assert isinstance(again[-1], Answered)
    assert not any(isinstance(event, Loading) for event in again)
    assert (len(stored_rollouts(home)), answerer.pid) == (len(stored) + 1, first)

    # Left early, the next question hears its own events alone.
    async for event in (stream := answerer.ask("embedded", "notes", "wait for ever")):
        if isinstance(event, Token):
            await stream.aclose()
            break
    assert isinstance((await heard(answerer.ask("embedded", "notes", QUESTION)))[-1], Answered)

    died = (await heard(answerer.ask("embedded", "notes", "now die please")))[-1]
    assert died == Failed("the process that answers ended with status 3: out of memory", gone=True)
    assert answerer.pid is None
    assert isinstance((await heard(answerer.ask("embedded", "notes", QUESTION)))[-1], Answered)
    last_pid = answerer.pid
    assert last_pid not in (None, first)
    await answerer.aclose()
    assert not psutil.pid_exists(last_pid or 0)


def test_it_ends_with_a_parent_that_is_killed(home: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(home), MODULE], stdout=subprocess.PIPE, env=same_imports(), text=True
    )
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    child.wait(PATIENCE)
    assert not child.is_running()


async def test_closed_while_a_model_loads(home: Path) -> None:
    conversation = Conversation(load_settings(home=home), corpus="notes", checkpoint="embedded")
    loading = asyncio.create_task(conversation.start())
    while conversation.pid is None:
        await asyncio.sleep(0.01)
    pid = conversation.pid
    await conversation.aclose()
    assert not psutil.pid_exists(pid)
    with pytest.raises(KarlError, match=r"closed|cancelled"):
        await loading


@pytest.mark.slow
async def test_the_embedded_model(home: Path) -> None:
    conversation = Conversation(load_settings(home=home), corpus="notes")
    assert await conversation.start() == Ready(("karl-tiny",))
    last = (await heard(conversation.ask(QUESTION)))[-1]
    # It was trained on other notes: whether it finds an answer in these is its own affair.
    assert isinstance(last, Answered | Failed)
    assert last.trace_id in stored_rollouts(home)
    await conversation.aclose()
