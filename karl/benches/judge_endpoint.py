"""A judge's endpoint that answers at once with a script, over a real socket, in a process of its own."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

LABELS = ("support", "partial_support", "not_support")


def scripted_answer() -> bytes:
    """An HTTP response that labels three facts, as an OpenAI-compatible server writes it."""
    arguments = json.dumps({"labels": LABELS, "reason": "the first is stated, the second in part"})
    call = {"id": "call_1", "type": "function", "function": {"name": "final_result", "arguments": arguments}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "scripted",
        "choices": [{"index": 0, "finish_reason": "tool_calls", "message": message}],
        "usage": {"prompt_tokens": 450, "completion_tokens": 40, "total_tokens": 490},
    }
    data = json.dumps(body).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(data) + data


@contextmanager
def scripted_endpoint() -> Iterator[str]:
    """The base URL of a running one."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        if not ours.poll(60.0):
            raise TimeoutError("the scripted endpoint did not start within 60 s")
        yield f"http://127.0.0.1:{ours.recv()}/v1"
    finally:
        process.terminate()
        process.join(10.0)


def _serve(connection: Connection) -> None:
    asyncio.run(_listen(connection))


async def _listen(connection: Connection) -> None:
    answer = scripted_answer()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
                json.loads(await reader.readexactly(length))  # what it would judge has to be readable
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()  # the judge has gone

    server = await asyncio.start_server(converse, "127.0.0.1", 0, backlog=512)
    connection.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()
