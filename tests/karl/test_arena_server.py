"""The calls behind the local page: asked, streamed, voted on; and who is kept out."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestClient, TestServer

from agents.engines.base import GenerateRequest
from agents.policy import Policy
from karl.arena.lobby import MOST_RUNNING, Lobby
from karl.arena.server import LOBBY, PAGE, make_app
from karl.settings import load_settings
from store import queries
from store.errors import KarlError
from tests.harness_kit import scripted_policy
from tests.karl.api_kit import make_corpus
from tests.karl.arena_kit import COLD, HOT, ScriptedRing, opened

ASKED = {"question": "Where does Mira work?", "systems": [COLD, HOT], "corpus": None, "blind": True}
Client = TestClient[Any, Any]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return make_corpus(tmp_path)


def says(text: str) -> Policy:
    return scripted_policy(lambda request: f"<answer>{text}</answer>")


@asynccontextmanager
async def served(home: Path, *, hosts: tuple[str, ...] = (), **played: Policy | Exception) -> AsyncIterator[Client]:
    """The page's server; `cold` and `hot` play the two systems."""
    given = {COLD: played.get("cold", says("Oslo")), HOT: played.get("hot", says("Lima"))}
    with opened(home) as store:
        ring = ScriptedRing(home, given)
        lobby = Lobby(store, load_settings(home=home), ring, offered=[COLD, HOT])
        async with TestClient(TestServer(make_app(lobby, hosts=hosts))) as client:
            yield client
        await lobby.aclose()


async def asked(client: Client, **changes: Any) -> dict[str, Any]:
    reply = await client.post("/api/battles", json={**ASKED, **changes})
    assert reply.status == 201, await reply.text()
    return await reply.json()


async def heard(client: Client, key: str, *, after: str = "") -> list[tuple[int, str, dict[str, Any]]]:
    """The whole stream: number, name and data of each event."""
    headers = {"Last-Event-ID": after} if after else {}
    reply = await client.get(f"/api/battles/{key}/events", headers=headers)
    assert reply.headers["Content-Type"] == "text/event-stream" and reply.headers["X-Content-Type-Options"] == "nosniff"
    blocks = [block for block in (await reply.text()).split("\n\n") if block and not block.startswith(":")]
    fields = [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]
    return [(int(one["id"]), one["event"], json.loads(one["data"])) for one in fields]


async def error(reply: Any) -> str:
    return (await reply.json())["error"]


# -- from the question to the score ----------------------------------------------------------------------------------


async def test_ask_listen_vote_and_see_the_board(home: Path) -> None:
    async with served(home) as client:
        state = await (await client.get("/api/state")).json()
        assert state == {"systems": [COLD, HOT], "corpora": ["notes"]}
        begun = await asked(client)
        assert begun["columns"] == [{"letter": "A", "system": None}, {"letter": "B", "system": None}]
        events = await heard(client, begun["id"])
        assert [number for number, _, _ in events] == list(range(len(events)))
        assert events[-1][1:] == ("end", {"choices": ["A", "B", "tie", "none"]})
        answers = {told["letter"]: told["text"] for _, _, told in events if told.get("kind") == "answer"}
        assert sorted(answers.values()) == ["Lima", "Oslo"]
        shown = await (await client.get(f"/api/battles/{begun['id']}")).json()
        # Before the vote nothing that was sent tells who is who.
        assert "embedded" not in json.dumps([begun, events, shown])
        reply = await client.post(f"/api/battles/{begun['id']}/vote", json={"choice": "A", "note": "north"})
        told = await reply.json()
        assert reply.status == 200 and told["vote"] == {"choice": "A", "note": "north"}
        played = {COLD: "Oslo", HOT: "Lima"}
        assert {c["letter"]: played[c["system"]] for c in told["columns"]} == answers
        board = await (await client.get("/api/board")).json()
        winner = next(column["system"] for column in told["columns"] if column["letter"] == "A")
        assert board["systems"][0]["system"] == winner and board["votes"]["winner"] == 1
        again = await client.post(f"/api/battles/{begun['id']}/vote", json={"choice": "B"})
        assert again.status == 400 and "has its vote" in await error(again)


async def test_events_come_while_answers_are_made_and_can_be_taken_up_again(home: Path) -> None:
    go_on = asyncio.Event()

    async def waits(request: GenerateRequest) -> str:
        await go_on.wait()
        return "<answer>Oslo</answer>"

    async with served(home, cold=scripted_policy(waits)) as client:
        begun = await asked(client, blind=False)
        assert [column["system"] for column in begun["columns"]] == [COLD, HOT]
        early = await client.post(f"/api/battles/{begun['id']}/vote", json={"choice": "B"})
        assert early.status == 400 and "not all have answered" in await error(early)
        stream = await client.get(f"/api/battles/{begun['id']}/events")
        said = b""
        async with asyncio.timeout(20):
            # B has answered while A is still thinking.
            while b'"letter": "B", "kind": "answer"' not in said:
                said += await stream.content.readany()
        assert b'"letter": "A", "kind": "answer"' not in said
        stream.close()
        go_on.set()
        events = await heard(client, begun["id"])
        assert (await heard(client, begun["id"], after=str(events[1][0]))) == events[2:]


async def test_a_failed_system_is_told_and_cannot_be_voted_for(home: Path) -> None:
    async with served(home, hot=KarlError("endpoint down")) as client:
        begun = await asked(client, blind=False)
        events = await heard(client, begun["id"])
        assert events[-1][2] == {"choices": ["A", "none"]}
        assert {"letter": "B", "kind": "failed", "text": "endpoint down"}.items() <= events[0][2].items()
        refused = await client.post(f"/api/battles/{begun['id']}/vote", json={"choice": "B"})
        assert refused.status == 400 and "B gave no answer (endpoint down)" in await error(refused)


async def test_wrong_requests_are_told_what_is_wrong(home: Path) -> None:
    async with served(home) as client:
        for changes, message in (
            ({"question": " "}, "1 to 8000 characters"),
            ({"systems": [COLD]}, "2 to 8 systems"),
            ({"systems": [COLD, "/etc"]}, "no system '/etc' is offered"),
            ({"corpus": "nots"}, "no corpus 'nots'"),
            ({"colour": 1}, "key 'colour': Extra inputs"),
            ({"question": 3}, "key 'question'"),
        ):
            reply = await client.post("/api/battles", json={**ASKED, **changes})
            assert reply.status == 400 and message in await error(reply), changes
        assert (await client.get("/api/battles/zz/events")).status == 404
        assert (await client.get("/nowhere")).status == 404
        headers = {"Content-Type": "application/json"}
        assert (await client.post("/api/battles", data=b"x" * 70_000, headers=headers)).status == 413
        broken = await client.post("/api/battles", data=b"{", headers=headers)
        assert broken.status == 400 and "Invalid JSON" in await error(broken)


async def test_no_more_at_once_than_can_be_served_and_stopping_ends_them(home: Path) -> None:
    async def never(request: GenerateRequest) -> str:
        await asyncio.sleep(3600)
        return ""

    async with served(home, cold=scripted_policy(never)) as client:
        begun = [await asked(client) for _ in range(MOST_RUNNING)]
        busy = await client.post("/api/battles", json=ASKED)
        assert busy.status == 429 and "wait for one of them" in await error(busy)
        listening = asyncio.create_task(heard(client, begun[0]["id"]))
        await asyncio.sleep(0.05)
        assert client.app is not None
        await client.app[LOBBY].aclose()
        assert "server stopped" in (await listening)[-1][2]["error"]
    with opened(home) as store, store.session() as session:
        assert queries.arena_battles(session) == []


async def test_many_questions_at_the_same_moment_are_counted(home: Path) -> None:
    async def never(request: GenerateRequest) -> str:
        await asyncio.sleep(3600)
        return ""

    async with served(home, cold=scripted_policy(never)) as client:
        replies = await asyncio.gather(*(client.post("/api/battles", json=ASKED) for _ in range(3 * MOST_RUNNING)))
        assert sorted(reply.status for reply in replies) == [201] * MOST_RUNNING + [429] * 2 * MOST_RUNNING


# -- who is kept out -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:8770"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "a@127.0.0.1:x"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
    ],
    ids=str,
)
async def test_other_sites_are_refused(home: Path, headers: dict[str, str]) -> None:
    async with served(home) as client:
        sent = {"Content-Type": "application/json", **headers}
        reply = await client.post("/api/battles", data=json.dumps(ASKED), headers=sent)
        assert reply.status == 403 and await error(reply)
        if "Content-Type" not in headers:
            for path in ("/api/state", "/api/board"):
                assert (await client.get(path, headers=headers)).status == 403
    with opened(home) as store, store.session() as session:
        assert queries.arena_battles(session) == []


async def test_the_page_itself_is_let_in(home: Path) -> None:
    async with served(home, hosts=("karl.lan",)) as client:
        own = f"http://127.0.0.1:{client.port}"
        same = {"Origin": own, "Sec-Fetch-Site": "same-origin", "Content-Type": "application/json"}
        assert (await client.post("/api/battles", data=json.dumps(ASKED), headers=same)).status == 201
        for host in ("localhost:8770", "[::1]:8770", "KARL.lan"):
            assert (await client.get("/api/state", headers={"Host": host})).status == 200
        # A link on another site may lead here; what it sends may not.
        assert (await client.get("/", headers={"Sec-Fetch-Site": "cross-site"})).status == 200


async def test_the_page_runs_its_own_script_and_asks_nobody_else(home: Path) -> None:
    async with served(home) as client:
        reply = await client.get("/")
        text, policy = await reply.text(), reply.headers["Content-Security-Policy"]
    assert text == PAGE.read_text(encoding="utf-8") and reply.headers["X-Frame-Options"] == "DENY"
    assert "default-src 'none'" in policy and "unsafe" not in policy and "connect-src 'self'" in policy
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert not re.search(r"(src|href)=[\"']?(https?:)?//|innerHTML|insertAdjacentHTML|document\.write|@import", text)
    # Every field has a name that a screen reader can say.
    named = set(re.findall(r'<label for="(\w+)"', text))
    fields = set(re.findall(r'<(?:textarea|select|input type="text")[^>]* id="(\w+)"', text))
    assert fields == named == {"question", "corpus", "note"}


async def test_the_server_of_the_command_answers_and_stops(home: Path) -> None:
    """`karl arena serve` in this process: a free port, the address told, SIGTERM."""
    import os
    import signal

    from karl.arena.server import serve

    said: list[str] = []
    with opened(home) as store:
        lobby = Lobby(store, load_settings(home=home), ScriptedRing(home, {}), offered=[COLD, HOT])
        work = asyncio.create_task(serve(lobby, host="127.0.0.1", port=0, hosts=(), say=said.append))
        async with asyncio.timeout(20), ClientSession() as session:
            while not said:
                await asyncio.sleep(0.01)
            address = said[0].removeprefix("serving on ")
            async with session.get(f"{address}api/board") as reply:
                assert (await reply.json())["battles"] == 0
            taken = Lobby(store, load_settings(home=home), ScriptedRing(home, {}), offered=[COLD, HOT])
            port = int(address.rstrip("/").rpartition(":")[2])
            with pytest.raises(KarlError, match="choose another --port"):
                await serve(taken, host="127.0.0.1", port=port, hosts=(), say=said.append)
            os.kill(os.getpid(), signal.SIGTERM)
            await work
