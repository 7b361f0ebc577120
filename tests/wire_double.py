"""A small HTTP server that speaks vLLM's completions protocol over a real socket (no vLLM is involved)."""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

Answer = tuple[int, dict[str, Any]]
Respond = Callable[[dict[str, Any]], Answer | Awaitable[Answer]]


def completion(ids: list[int], finish: str = "stop", **changes: Any) -> Answer:
    choice = {
        "token_ids": ids,
        "logprobs": {"token_logprobs": [-0.25] * len(ids)},
        "finish_reason": finish,
        "text": "x",
    }
    return 200, {"choices": [{**choice, **changes}]}


@asynccontextmanager
async def server(
    answer: Respond, *, models: tuple[str, ...] = (), api_key: str = ""
) -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """A real socket; `seen` collects the bodies (with path and authorization) that arrived.

    GET /v1/models lists `models`; with `api_key` a request without it is answered 401.
    """
    seen: list[dict[str, Any]] = []

    async def respond(path: str, authorization: str, body: dict[str, Any]) -> Answer:
        if api_key and authorization != f"Bearer {api_key}":
            return 401, {"error": "Unauthorized"}
        if path == "/v1/models":
            return 200, {"data": [{"id": model} for model in models]}
        seen.append({"path": path, "authorization": authorization, **body})
        given = answer(body)
        return await given if inspect.isawaitable(given) else given

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            lines = head.decode().split("\r\n")
            headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:] if ": " in line)}
            length = int(headers.get("content-length", 0))
            body = json.loads(await reader.readexactly(length)) if length else {}
            status, payload = await respond(lines[0].split()[1], headers.get("authorization", ""), body)
            data = json.dumps(payload).encode()
            writer.write(
                f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode()
            )
            writer.write(data)
            await writer.drain()

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handle(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionResetError):
            writer.close()

    listener = await asyncio.start_server(guarded, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1", seen
    finally:
        listener.close()


@contextmanager
def background_server(answer: Respond, **options: Any) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """`server` on an event loop in a thread of its own, for callers that run a loop themselves."""
    ready, done = threading.Event(), asyncio.Event()
    opened: list[tuple[asyncio.AbstractEventLoop, tuple[str, list[dict[str, Any]]]]] = []

    async def serve() -> None:
        async with server(answer, **options) as served:
            opened.append((asyncio.get_running_loop(), served))
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(10.0)
    loop, served = opened[0]
    try:
        yield served
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(10.0)
