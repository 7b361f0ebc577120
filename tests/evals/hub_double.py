"""A local server that speaks what the hub's client and a ranged download need, and keeps count of what was asked."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" * 6 + "c0ff"


@dataclass
class HubDouble:
    """`files`: data set -> path -> contents; `large`: paths with a published sha256; `cut`: bytes to send at most."""

    files: Mapping[str, dict[str, bytes]]
    large: set[str] = field(default_factory=set)
    cut: dict[str, int] = field(default_factory=dict)
    lies: set[str] = field(default_factory=set)
    endpoint: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)

    def listing(self, dataset: str) -> dict[str, object]:
        siblings = [self._sibling(path, data) for path, data in self.files[dataset].items()]
        return {"id": dataset, "sha": COMMIT, "siblings": siblings, "private": False, "tags": [], "downloads": 0}

    def _sibling(self, path: str, data: bytes) -> dict[str, object]:
        blob = hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()
        found: dict[str, object] = {"rfilename": path, "size": len(data), "blobId": blob}
        if path in self.large:
            found["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
        return found

    def contents(self, dataset: str, path: str) -> bytes:
        data = self.files[dataset][path]
        return data[::-1] if path in self.lies else data


@contextmanager
def hub_double(double: HubDouble) -> Iterator[HubDouble]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(double))
    double.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield double
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(double: HubDouble) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            return

        def do_GET(self) -> None:
            parts = unquote(urlsplit(self.path).path).strip("/").split("/")
            if parts[:2] == ["api", "datasets"]:
                self._reply(json.dumps(double.listing("/".join(parts[2:4]))).encode())
                return
            dataset, path = "/".join(parts[1:3]), "/".join(parts[5:])
            asked = self.headers.get("Range", "")
            double.asked.append((path, asked))
            data = double.contents(dataset, path)
            start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
            self._reply(data[start:], status=206 if asked else 200, send=double.cut.get(path))

        def _reply(self, body: bytes, *, status: int = 200, send: int | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body[:send])

    return Handler
