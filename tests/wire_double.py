"""A small HTTP server that speaks OpenAI's and vLLM's protocols over a real socket (no vLLM is involved)."""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

METRICS = 'vllm:num_requests_running{engine="0"} 3.0\nvllm:num_requests_waiting{engine="0"} 1.0\n'


class Answer(NamedTuple):
    """`body`: a JSON object; a list: server-sent events, JSON objects or text; None: the connection is cut.

    Events that do not end with `[DONE]` are cut off as well.
    """

    status: int
    body: dict[str, Any] | list[Any] | str | None
    headers: Mapping[str, str] = {}


CUT = Answer(0, None)
Given = Answer | tuple[int, dict[str, Any]]
Respond = Callable[[dict[str, Any]], Given | Awaitable[Given]]


def completion(ids: list[int], finish: str = "stop", **changes: Any) -> Answer:
    choice = {
        "token_ids": ids,
        "logprobs": {"token_logprobs": [-0.25] * len(ids)},
        "finish_reason": finish,
        "text": "x",
    }
    return Answer(200, {"choices": [{**choice, **changes}]})


def chunks(*pieces: list[int], finish: str | None = "stop") -> list[Any]:
    """A completion as a stream of events, one for each piece; without a finish reason it is cut off."""
    events: list[Any] = [completion(piece, finish if piece is pieces[-1] else None).body for piece in pieces]  # pyright: ignore[reportArgumentType]
    return [*events, "[DONE]"] if finish else events


@dataclass
class Double:
    """One server on one port, that may go down and come back. `seen`: bodies, with path and authorization."""

    answer: Respond
    models: tuple[str, ...] = ()
    api_key: str = ""
    max_model_len: int | None = None
    port: int = 0
    seen: list[dict[str, Any]] = field(default_factory=list)
    _listener: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def start(self) -> None:
        self._listener = await asyncio.start_server(self._guarded, "127.0.0.1", self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    def kill(self) -> None:
        """Stop listening, and cut what is under way."""
        assert self._listener is not None
        self._listener.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _guarded(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                if not await self._exchange(head.decode(), reader, writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has gone, as it may
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _exchange(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False: the connection is over."""
        lines = head.split("\r\n")
        headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:] if ": " in line)}
        length = int(headers.get("content-length", 0))
        body = json.loads(await reader.readexactly(length)) if length else {}
        given = Answer(*await self._respond(lines[0].split()[1], headers.get("authorization", ""), body))
        if given.body is None:
            writer.transport.abort()
            return False
        if isinstance(given.body, list):
            return await _send_events(given, writer)
        data = (given.body if isinstance(given.body, str) else json.dumps(given.body)).encode()
        extra = "".join(f"{name}: {value}\r\n" for name, value in given.headers.items())
        writer.write(f"HTTP/1.1 {given.status} X\r\n{extra}Content-Length: {len(data)}\r\n\r\n".encode() + data)
        await writer.drain()
        return True

    async def _respond(self, path: str, authorization: str, body: dict[str, Any]) -> Given:
        if self.api_key and authorization != f"Bearer {self.api_key}":
            return 401, {"error": "Unauthorized"}
        if path == "/metrics":
            return Answer(200, METRICS)
        if path == "/v1/models":
            room = {"max_model_len": self.max_model_len} if self.max_model_len else {}
            return 200, {"data": [{"id": model, **room} for model in self.models]}
        self.seen.append({"path": path, "authorization": authorization, **body})
        given = self.answer(body)
        return await given if inspect.isawaitable(given) else given


async def _send_events(given: Answer, writer: asyncio.StreamWriter) -> bool:
    assert isinstance(given.body, list)
    writer.write(f"HTTP/1.1 {given.status} X\r\nContent-Type: text/event-stream\r\nConnection: close\r\n".encode())
    writer.write(b"Transfer-Encoding: chunked\r\n\r\n")
    for event in given.body:
        data = f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n".encode()
        writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        await writer.drain()
    if given.body[-1:] == ["[DONE]"]:
        writer.write(b"0\r\n\r\n")
        await writer.drain()
    return False


@asynccontextmanager
async def server(answer: Respond, **options: Any) -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """(URL, what arrived) of a `Double` with these options."""
    async with double(answer, **options) as opened:
        yield opened.url, opened.seen


@asynccontextmanager
async def double(answer: Respond, **options: Any) -> AsyncIterator[Double]:
    opened = Double(answer, **options)
    await opened.start()
    try:
        yield opened
    finally:
        opened.kill()


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
