"""An OpenAI-compatible embeddings endpoint over real HTTP, in a thread: vectors from bags of hashed words."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.store.test_vectors import HashEmbedder


@dataclass
class EndpointDouble:
    """statuses: answered by the next requests in place of vectors; most: texts a request; reply: changes the answer."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    most: int = 1000
    api_key: str = ""
    dimensions: int = 64
    requests: list[dict[str, Any]] = field(default_factory=list)
    body: bytes | None = None

    def answer(self, given: dict[str, Any], key: str) -> tuple[int, bytes]:
        self.requests.append(given)
        if self.api_key and key != f"Bearer {self.api_key}":
            return 401, b"who are you?"
        if self.statuses:
            return self.statuses.pop(0), b"told to"
        if len(given["input"]) > self.most:
            return 413, b"batch size > maximum allowed batch size"
        if self.body is not None:
            return 200, self.body
        rows = 3 * HashEmbedder().embed_passages(given["input"])[:, : self.dimensions]
        data = [{"index": n, "embedding": row.tolist()} for n, row in enumerate(rows)]
        return 200, json.dumps({"data": data[::-1]}).encode()  # the order is the index's, not the list's

    @property
    def texts(self) -> list[str]:
        return [text for request in self.requests for text in request["input"]]


@contextmanager
def endpoint_double() -> Iterator[EndpointDouble]:
    double = EndpointDouble()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            given = json.loads(self.rfile.read(int(self.headers["content-length"])))
            status, content = double.answer(given, self.headers.get("authorization", ""))
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.send_header("retry-after", "0")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Not on the screen of the tests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    double.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield double
    finally:
        server.shutdown()
        server.server_close()
