"""`karl arena serve`: the page, and the few calls behind it."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel, ValidationError

from karl.arena.board import board
from karl.arena.guard import Guard
from karl.arena.lobby import Asked, Busy, Choice, Lobby, Running
from karl.arena.record import record_json
from karl.arena.voting import cast_vote
from store import queries
from store.errors import KarlError, UsageError
from store.queries import ArenaRecord

PAGE = Path(__file__).with_name("page.html")
LONGEST_BODY = 1 << 16
STOP_SECONDS = 1.0
LOBBY = web.AppKey("lobby", Lobby)

Body = TypeVar("Body", bound=BaseModel)


def make_app(lobby: Lobby, *, hosts: Sequence[str] = ()) -> web.Application:
    """`hosts`: names, beside those of the loopback address, that the page is reached by."""
    page = PAGE.read_text(encoding="utf-8")
    app = web.Application(middlewares=[_told], client_max_size=LONGEST_BODY)
    Guard(page, hosts=hosts).protect(app)
    app[LOBBY] = lobby

    async def index(request: web.Request) -> web.Response:
        return web.Response(text=page, content_type="text/html")

    app.add_routes(
        [
            web.get("/", index),
            web.get("/api/state", _state),
            web.post("/api/battles", _begin),
            web.get("/api/battles/{key}", _show),
            web.get("/api/battles/{key}/events", _events),
            web.post("/api/battles/{key}/vote", _vote),
            web.get("/api/board", _board),
        ]
    )
    return app


async def serve(lobby: Lobby, *, host: str, port: int, hosts: Sequence[str], say: Any) -> None:
    """Until the process is told to stop. Closes `lobby`. Raises: KarlError for a port that can't be had."""
    stopped = asyncio.Event()
    runner = web.AppRunner(make_app(lobby, hosts=[host, *hosts]), shutdown_timeout=STOP_SECONDS)
    try:
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as exc:
            raise KarlError(f"cannot listen on {host}:{port}: {exc.strerror}; choose another --port") from exc
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        say(f"serving on http://{_shown(host)}:{runner.addresses[0][1]}/")
        await stopped.wait()
    finally:
        # Battles first: listeners then hear the end, and their connections close.
        await lobby.aclose()
        await runner.cleanup()


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


@web.middleware
async def _told(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What a person can mend is JSON with the reason."""
    try:
        return await handler(request)
    except Busy as exc:
        return web.json_response({"error": str(exc)}, status=429)
    except UsageError as exc:
        return web.json_response({"error": str(exc)}, status=400)
    except KarlError as exc:
        return web.json_response({"error": str(exc)}, status=500)
    except web.HTTPException as exc:
        return web.json_response({"error": exc.text or exc.reason}, status=exc.status)


async def _state(request: web.Request) -> web.Response:
    lobby = request.app[LOBBY]
    return web.json_response({"systems": lobby.offered(), "corpora": lobby.corpora()})


async def _begin(request: web.Request) -> web.Response:
    running = await request.app[LOBBY].begin(await _body(request, Asked))
    battle = running.battle
    columns = [{"letter": column.letter, "system": column.label or None} for column in battle.columns]
    told = {"id": battle.key, "question": battle.question, "blind": battle.blind, "columns": columns}
    return web.json_response(told, status=201)


async def _events(request: web.Request) -> web.StreamResponse:
    """Server-sent events from the first on, or after the one that a returning listener has heard last."""
    running = _running(request)
    heard = request.headers.get("Last-Event-ID", "")
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    try:
        async for event in running.listen(int(heard) + 1 if heard.isdecimal() else 0):
            await response.write(_sse(event))
    except ConnectionResetError:
        return response  # the listener left
    await response.write_eof()
    return response


def _sse(event: tuple[int, str, dict[str, Any]] | None) -> bytes:
    if event is None:
        return b": still here\n\n"
    number, name, told = event
    return f"id: {number}\nevent: {name}\ndata: {json.dumps(told)}\n\n".encode()


async def _show(request: web.Request) -> web.Response:
    lobby, key = request.app[LOBBY], request.match_info["key"]
    return web.json_response(await asyncio.to_thread(_record_json, lobby, key))


async def _vote(request: web.Request) -> web.Response:
    lobby, key = request.app[LOBBY], request.match_info["key"]
    choice = await _body(request, Choice)
    running = lobby.running(key)
    if running is not None and not running.over:
        raise UsageError("not all have answered yet; vote when they have")
    record = await asyncio.to_thread(cast_vote, lobby.store, key, choice.choice, note=choice.note)
    return web.json_response(await asyncio.to_thread(record_json, record, settings=lobby.settings))


async def _board(request: web.Request) -> web.Response:
    return web.json_response(await asyncio.to_thread(board, request.app[LOBBY].store))


def _record_json(lobby: Lobby, key: str) -> dict[str, Any]:
    with lobby.store.session() as session:
        record: ArenaRecord = queries.arena_battle(session, key)
    return record_json(record, settings=lobby.settings)


def _running(request: web.Request) -> Running:
    found = request.app[LOBBY].running(request.match_info["key"])
    if found is None:
        raise web.HTTPNotFound(text="no such battle is under way here; `karl arena show` lists those of the store")
    return found


async def _body(request: web.Request, kind: type[Body]) -> Body:
    """Raises: UsageError that names the key."""
    try:
        return kind.model_validate_json(await request.read())
    except ValidationError as exc:
        error = exc.errors()[0]
        where = ".".join(map(str, error["loc"])) or "body"
        raise UsageError(f"key '{where}': {error['msg']}") from exc
