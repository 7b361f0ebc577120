"""A double of a Weaviate server at the level of the wire: the real client talks to it over HTTP and gRPC.

It is NOT Weaviate. It keeps objects in memory, ranks them exactly, and answers what the client checks in the forms of
the real server: readiness, version, schema, tenants, batch results object by object, search and aggregate replies. As
there, a collection is made by one request alone (422 for the others), and what is inserted into one that is not there
makes it anew; what is updated does not. Faults are set from outside. What only a real server can show is in
`test_weaviate_real.py` (`KARL_WEAVIATE_URL`).
"""

from __future__ import annotations

import json
import math
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import grpc
import numpy as np
from weaviate.proto.v1 import (
    aggregate_pb2,
    base_pb2,
    base_search_pb2,
    batch_delete_pb2,
    batch_pb2,
    properties_pb2,
    search_get_pb2,
    weaviate_pb2_grpc,
)

VERSION = "1.33.0"


@dataclass
class Stored:
    """One object."""

    uuid: str
    properties: dict[str, Any]
    vector: np.ndarray | None

    @property
    def is_passage(self) -> bool:
        """Not a manifest, not a lock."""
        return "chunk" in self.properties


Tenant = dict[str, Stored]  # by uuid


@dataclass
class Faults:
    """codes: answered by the next gRPC calls, one each, in place of their work; None lets one through. after: the
    same for writes, but their work is done: the answer is what is lost.

    refuse: why a passage of a batch is refused; lose: taken without an error, and not kept; lose_made: a collection
    that is made, and not said to be; unseen: names that the next looks for a collection do not find, one each;
    ready: of the HTTP probe.
    """

    codes: list[grpc.StatusCode | None] = field(default_factory=list)
    after: list[grpc.StatusCode | None] = field(default_factory=list)
    refuse: Callable[[Stored], str | None] = lambda _: None
    lose: Callable[[Stored], bool] = lambda _: False
    lose_made: Callable[[str], bool] = lambda _: False
    unseen: list[str] = field(default_factory=list)
    ready: bool = True
    seconds: float = 0.0  # before the work of a gRPC call, which is done even if the client has left
    http_seconds: float = 0.0


class Certificate(NamedTuple):
    """Files in PEM."""

    chain: Path
    key: Path


class WeaviateDouble:
    """`with WeaviateDouble() as server:`; stop() and start() keep the contents and the ports, as a restart does.

    https, grpcs: certificates of the two ports; None: no TLS.
    """

    def __init__(
        self, *, api_key: str = "", https: Certificate | None = None, grpcs: Certificate | None = None
    ) -> None:
        self.api_key, self.faults = api_key, Faults()
        self._https, self._grpcs = https, grpcs
        self.schema: dict[str, dict[str, Any]] = {}
        self.tenants: dict[str, dict[str, Tenant]] = {}
        self.calls: list[str] = []
        self.named: list[int] = []  # of each search: how many chunks its filter names
        self.inserted: list[str] = []  # uuids of passages, in order, every time one is written
        self.users = ExitStack()  # closed before the server goes
        self.sockets: set[socket.socket] = set()  # of HTTP, open now
        self.http_port = self.grpc_port = 0
        self.lock = threading.Lock()

    def start(self) -> None:
        double = self

        class Handler(_Http):
            server_state = double

        self._http = ThreadingHTTPServer(("127.0.0.1", self.http_port), Handler)
        # Of a handshake that fails, and of an answer that nobody waits for, only the client hears.
        self._http.handle_error = lambda *_: None
        self.http_port = self._http.server_address[1]
        if self._https is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._https.chain, self._https.key)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self._grpc = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
        weaviate_pb2_grpc.add_WeaviateServicer_to_server(_Grpc(self), self._grpc)
        place = f"127.0.0.1:{self.grpc_port}"
        if self._grpcs is None:
            self.grpc_port = self._grpc.add_insecure_port(place)
        else:
            pair = self._grpcs.key.read_bytes(), self._grpcs.chain.read_bytes()
            self.grpc_port = self._grpc.add_secure_port(place, grpc.ssl_server_credentials([pair]))
        self._grpc.start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        with self.lock:
            for one in self.sockets:
                with suppress(OSError):  # the client has closed it
                    one.shutdown(socket.SHUT_RDWR)
        self._grpc.stop(None).wait()

    def __enter__(self) -> WeaviateDouble:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.users.close()
        self.stop()

    @property
    def settings(self) -> dict[str, Any]:
        """For `WeaviateSettings`: without waits."""
        return {
            "url": f"https://localhost:{self.http_port}" if self._https else f"http://127.0.0.1:{self.http_port}",
            "grpc": f"{'localhost' if self._grpcs else '127.0.0.1'}:{self.grpc_port}",
            "api_key": self.api_key,
            "retries": 2,
            "backoff_seconds": 0.0,
            "batch_size": 3,
            "lease_seconds": 3.0,
        }

    def make(self, definition: dict[str, Any]) -> bool:
        """A collection, as the cluster's log does it: False where there is one of this name."""
        name = definition["class"]
        with self.lock:
            if name in self.schema:
                return False
            self.schema[name] = definition
            several = definition.get("multiTenancyConfig", {}).get("enabled", False)
            self.tenants[name] = {} if several else {"": {}}
        return True

    @property
    def connections(self) -> int:
        return len(self.sockets)

    def objects(self, prefix: str = "Karl_") -> list[Stored]:
        """Of all tenants of collections of chunks."""
        return [
            one
            for name, tenants in self.tenants.items()
            if name.startswith(prefix)
            for tenant in tenants.values()
            for one in tenant.values()
            if one.is_passage
        ]

    def locks(self) -> list[str]:
        """Names of collections that are locks."""
        return sorted(name for name in self.schema if "_lock_" in name)


class _Http(BaseHTTPRequestHandler):
    """Readiness, version, schema, tenants."""

    server_state: WeaviateDouble
    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        state = self.server_state
        with state.lock:
            state.sockets.add(self.connection)
        try:
            super().handle()
        finally:
            with state.lock:
                state.sockets.discard(self.connection)

    def do_GET(self) -> None:
        state, parts = self.server_state, self.path.removeprefix("/v1/").split("/")
        time.sleep(state.faults.http_seconds)
        if parts == [".well-known", "ready"]:
            return self._answer(200 if state.faults.ready else 503)
        if not self._allowed():
            return self._answer(
                401, {"code": 401, "message": "anonymous access not enabled, please provide an API key"}
            )
        match parts:
            case ["meta"]:
                self._answer(200, {"version": VERSION, "hostname": "http://double", "grpcMaxMessageSize": 10485760})
            case ["schema"]:
                self._answer(200, {"classes": list(state.schema.values())})
            case ["schema", name] if name in state.faults.unseen:
                state.faults.unseen.remove(name)
                self._answer(404, {"error": [{"message": "not found"}]})
            case ["schema", name] if name in state.schema:
                self._answer(200, state.schema[name])
            case ["schema", name, "tenants", tenant] if tenant in state.tenants.get(name, {}):
                self._answer(200, {"name": tenant, "activityStatus": "HOT"})
            case _:
                self._answer(404, {"error": [{"message": "not found"}]})

    def do_POST(self) -> None:
        state, body = self.server_state, self._body()
        match self.path.removeprefix("/v1/").split("/"):
            case ["schema"] if not state.make(body):
                self._answer(422, {"error": [{"message": f"class name {body['class']} already exists"}]})
            case ["schema"]:
                lost = state.faults.lose_made(body["class"])
                self._answer(500, {"error": [{"message": "the answer is lost"}]}) if lost else self._answer(200, body)
            case ["schema", name, "tenants"]:
                for one in body:
                    state.tenants[name].setdefault(one["name"], {})
                self._answer(200, body)

    def do_PATCH(self) -> None:
        state, body = self.server_state, self._body()
        with state.lock:
            match self.path.removeprefix("/v1/").split("/"):
                case ["objects", name, uuid] if uuid in (held := state.tenants.get(name, {}).get("", {})):
                    held[uuid].properties.update(body["properties"])
                    self._answer(204)
                case _:
                    self._answer(404)

    def do_DELETE(self) -> None:
        body = self._body()
        match self.path.removeprefix("/v1/").split("/"):
            case ["schema", name]:
                self.server_state.schema.pop(name, None)
                self.server_state.tenants.pop(name, None)
                self._answer(200)
            case ["schema", name, "tenants"]:
                for tenant in body:
                    self.server_state.tenants[name].pop(tenant, None)
                self._answer(200)

    def _body(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"null")

    def _allowed(self) -> bool:
        key = self.server_state.api_key
        return not key or self.headers.get("authorization") == f"Bearer {key}"

    def _answer(self, status: int, body: Any = None) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Not on the screen of the tests."""


class _Grpc(weaviate_pb2_grpc.WeaviateServicer):
    """Search, batches, counts."""

    def __init__(self, state: WeaviateDouble) -> None:
        self.state = state

    def BatchObjects(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._enter("BatchObjects", context)
        errors = []
        for given in request.objects:
            self.state.make({"class": given.collection})
        with self.state.lock:
            for index, given in enumerate(request.objects):
                one = _stored(given)
                if reason := self._refused(given, one):
                    errors.append(batch_pb2.BatchObjectsReply.BatchError(index=index, error=reason))
                elif not (one.is_passage and self.state.faults.lose(one)):
                    self._tenant(given, context)[one.uuid] = one
                    self.state.inserted += [one.uuid] if one.is_passage else []
        self._leave(context)
        return batch_pb2.BatchObjectsReply(took=0.0, errors=errors)

    def _refused(self, given: Any, one: Stored) -> str | None:
        tenant = self.state.tenants.get(given.collection, {}).get(given.tenant)
        if tenant is None:
            return f'tenant not found: "{given.tenant}"'
        lengths = {len(held.vector) for held in tenant.values() if held.vector is not None}
        if one.vector is not None and lengths and len(one.vector) not in lengths:
            return f"vector lengths don't match: existing {lengths.pop()}, new {len(one.vector)}"
        return self.state.faults.refuse(one) if one.is_passage else None

    def BatchDelete(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._enter("BatchDelete", context)
        with self.state.lock:
            tenant = self._tenant(request, context)
            found = [uuid for uuid, one in tenant.items() if _matches(request.filters, one)]
            for uuid in found:
                del tenant[uuid]
        self._leave(context)
        return batch_delete_pb2.BatchDeleteReply(matches=len(found), successful=len(found), failed=0)

    def Aggregate(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._enter("Aggregate", context)
        count = len(self._tenant(request, context))
        return aggregate_pb2.AggregateReply(single_result=aggregate_pb2.AggregateReply.Single(objects_count=count))

    def Search(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._enter("Search", context)
        with self.state.lock:
            everything = list(self._tenant(request, context).values())
        self.state.named.append(len(request.filters.value_int_array.values))
        results = list(_ranked(request, everything, self.state.schema[request.collection], context))
        return search_get_pb2.SearchReply(
            results=[_result(request, *found) for found in results[: request.limit or 10]]
        )

    def _enter(self, call: str, context: grpc.ServicerContext) -> None:
        self.state.calls.append(call)
        time.sleep(self.state.faults.seconds)
        key = self.state.api_key
        if key and dict(context.invocation_metadata()).get("authorization") != f"Bearer {key}":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "anonymous access not enabled, please provide an API key")
        code = self.state.faults.codes.pop(0) if self.state.faults.codes else None
        if code is not None:
            context.abort(code, f"the double was told to answer {code.name}")

    def _leave(self, context: grpc.ServicerContext) -> None:
        code = self.state.faults.after.pop(0) if self.state.faults.after else None
        if code is not None:
            context.abort(code, f"the double was told to lose its answer: {code.name}")

    def _tenant(self, request: Any, context: grpc.ServicerContext) -> Tenant:
        tenants = self.state.tenants.get(request.collection)
        if tenants is None:
            context.abort(grpc.StatusCode.UNKNOWN, f"could not find class {request.collection} in schema")
        if request.tenant not in tenants:
            context.abort(grpc.StatusCode.UNKNOWN, f'tenant not found: "{request.tenant}"')
        return tenants[request.tenant]


def _stored(given: Any) -> Stored:
    vector = next(
        (np.frombuffer(one.vector_bytes, dtype="<f4") for one in given.vectors if one.name == "default"), None
    )
    properties = dict(given.properties.non_ref_properties.items())
    return Stored(given.uuid, properties, vector)


Scored = tuple[Stored, dict[str, Any]]  # and its metadata


def _ranked(request: Any, everything: list[Stored], schema: dict[str, Any], context: Any) -> Iterator[Scored]:
    objects = [one for one in everything if _matches(request.filters, one)]
    # As the server does: how rare a word is follows from all objects, whatever is filtered.
    words = partial(_by_words, objects, everything=everything, schema=schema)
    if request.HasField("near_vector"):
        query = _vector(request.near_vector)
        yield from ((one, {"distance": -score}) for one, score in _by_vector(objects, query, context))
    elif request.HasField("bm25_search"):
        yield from ((one, {"score": score}) for one, score in words(request.bm25_search.query))
    elif request.HasField("hybrid_search"):
        yield from _by_both(objects, request.hybrid_search, words, context)
    else:
        # A cursor goes by uuid.
        yield from ((one, {}) for one in sorted(objects, key=lambda one: one.uuid) if one.uuid > request.after)


def _vector(given: Any) -> np.ndarray:
    return np.frombuffer(given.vectors[0].vector_bytes if given.vectors else given.vector_bytes, dtype="<f4")


def _by_vector(objects: Sequence[Stored], query: np.ndarray, context: Any) -> list[tuple[Stored, float]]:
    scored = []
    for one in objects:
        if one.vector is None:
            continue
        if len(one.vector) != len(query):
            context.abort(grpc.StatusCode.UNKNOWN, f"vector lengths don't match: {len(one.vector)} vs {len(query)}")
        scored.append((one, float(np.dot(one.vector, query))))
    return sorted(scored, key=lambda item: -item[1])


def _by_words(
    objects: Sequence[Stored], query: str, *, everything: Sequence[Stored], schema: dict[str, Any]
) -> list[tuple[Stored, float]]:
    settings = schema["invertedIndexConfig"]["bm25"]
    k1, b = settings["k1"], settings["b"]
    held = [count for one in everything if (count := _words(one))]
    mean = sum(count.total() for count in held) / max(1, len(held))
    scored = []
    for one in objects:
        score, count = 0.0, _words(one)
        for word, times in Counter(query.split()).items():
            frequency = sum(word in other for other in held)
            idf = math.log(1 + (len(held) - frequency + 0.5) / (frequency + 0.5))
            norm = k1 * (1 - b + b * count.total() / max(mean, 1e-9))
            score += times * idf * count[word] / (count[word] + norm) if count[word] else 0.0
        if score:
            scored.append((one, score))
    return sorted(scored, key=lambda item: -item[1])


def _words(one: Stored) -> Counter[str]:
    return Counter(str(one.properties.get("words", "")).split())


def _by_both(
    objects: Sequence[Stored], given: Any, words: Callable[[str], list[tuple[Stored, float]]], context: Any
) -> Iterator[Scored]:
    """Relative scores, with the explanation in Weaviate's words."""
    assert given.fusion_type == base_search_pb2.Hybrid.FUSION_TYPE_RELATIVE_SCORE
    alpha = given.alpha_param if given.use_alpha_param else given.alpha
    sets = [
        ("keyword,bm25", 1 - alpha, words(given.query)),
        ("vector,hybridVector", alpha, _by_vector(objects, _vector(given), context)),
    ]
    total: dict[str, float] = {}
    said: dict[str, str] = {}
    for name, weight, scored in sets:
        scores = [score for _, score in scored]
        low, high = min(scores, default=0.0), max(scores, default=0.0)
        for one, score in scored:
            part = weight * ((score - low) / (high - low) if high > low else 1.0)
            total[one.uuid] = total.get(one.uuid, 0.0) + part
            said[one.uuid] = (
                f"{said.get(one.uuid, '')}\nHybrid (Result Set {name}) Document {one.uuid}: "
                f"original score {score:.6g}, normalized score: {part:.6g}"
            )
    by_uuid = {one.uuid: one for one in objects}
    for uuid in sorted(total, key=lambda uuid: -total[uuid]):
        yield by_uuid[uuid], {"score": total[uuid], "explain_score": said[uuid]}


def _result(request: Any, one: Stored, metadata: dict[str, Any]) -> Any:
    wanted = set(request.properties.non_ref_properties)
    everything = request.properties.return_all_nonref_properties or not request.HasField("properties")
    fields = {
        key: properties_pb2.Value(text_value=value)
        if isinstance(value, str)
        else properties_pb2.Value(int_value=int(value))
        for key, value in one.properties.items()
        if everything or key in wanted
    }
    asked = {key for key in ("creation_time_unix", "last_update_time_unix") if getattr(request.metadata, key)}
    metadata = metadata | dict.fromkeys(asked, 1_700_000_000_000)
    present = {f"{key}_present": True for key in metadata}
    return search_get_pb2.SearchResult(
        properties=search_get_pb2.PropertiesResult(non_ref_props=properties_pb2.Properties(fields=fields)),
        metadata=search_get_pb2.MetadataResult(id=one.uuid, id_as_bytes=UUID(one.uuid).bytes, **metadata, **present),
    )


def _matches(filters: Any, one: Stored) -> bool:
    """The operators that our code asks for; others fail the test that uses them."""
    kinds = base_pb2.Filters.Operator
    match filters.operator:
        case kinds.OPERATOR_UNSPECIFIED:
            return True
        case kinds.OPERATOR_AND:
            return all(_matches(part, one) for part in filters.filters)
        case kinds.OPERATOR_CONTAINS_ANY:
            return one.properties[filters.target.property] in list(filters.value_int_array.values)
        case kinds.OPERATOR_GREATER_THAN_EQUAL:
            return one.properties[filters.target.property] >= filters.value_int
        case kinds.OPERATOR_EQUAL if filters.target.property == "_id":
            return one.uuid == filters.value_text
    raise NotImplementedError(filters.operator)
