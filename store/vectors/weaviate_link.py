"""The connection to a Weaviate server: opened when first needed, tried again within bounds, errors with their mend."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import httpx

from store.errors import KarlError, UsageError
from store.search_servers import WeaviateSettings

if TYPE_CHECKING:
    from weaviate import WeaviateClient

ResultT = TypeVar("ResultT")
GRPC_PORT = 50051
LONGEST_WAIT = 30.0  # seconds
REFUSED = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED"})
PASSING = frozenset({"DEADLINE_EXCEEDED", "UNAVAILABLE", "ABORTED", "RESOURCE_EXHAUSTED"})


class ServerAway(Exception):
    """It may come back."""


class WeaviateLink:
    """Safe across threads. The client's channel mends itself after a restart; what failed meanwhile is asked again."""

    def __init__(self, settings: WeaviateSettings) -> None:
        require_client()
        # Each failed object would be logged in full beside the error that we raise.
        logging.getLogger("weaviate-client").setLevel(logging.CRITICAL)
        self.settings = settings
        self._lock = threading.Lock()
        self._client: WeaviateClient | None = None

    def call(self, action: Callable[[WeaviateClient], ResultT]) -> ResultT:
        """What `action` returns; it may run several times. Raises: KarlError; UsageError where the key is refused."""
        from weaviate.exceptions import WeaviateBaseError

        for tried in range(self.settings.retries + 1):
            try:
                return action(self._open())
            except (WeaviateBaseError, httpx.TransportError, ServerAway) as exc:
                if tried == self.settings.retries or not passes(exc):
                    raise explained(exc, url=self.settings.url) from exc
            time.sleep(min(self.settings.backoff_seconds * 2**tried, LONGEST_WAIT))
        raise AssertionError("the last try returns or raises")

    def close(self) -> None:
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _open(self) -> WeaviateClient:
        with self._lock:
            if self._client is None:
                check_ready(self.settings)
                check_grpc(self.settings)
                client = _client(self.settings)
                client.connect()
                self._client = client
            return self._client


def require_client() -> None:
    """Raises: UsageError where the extra is not installed."""
    try:
        import weaviate  # noqa: F401
    except ImportError as exc:
        raise UsageError(
            f"an index on Weaviate needs its client: run `pip install 'karl-agents[weaviate]'` ({exc})"
        ) from exc


def check_ready(settings: WeaviateSettings) -> str:
    """The server's version. Raises: httpx.TransportError, ServerAway; KarlError for another server's answer."""
    url = settings.url.rstrip("/")
    headers = {"Authorization": f"Bearer {settings.api_key}"} if settings.api_key else {}
    with httpx.Client(headers=headers, timeout=settings.connect_seconds) as client:
        ready, meta = client.get(f"{url}/v1/.well-known/ready"), client.get(f"{url}/v1/meta")
    if ready.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        raise ServerAway("it is not ready")
    if meta.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise UsageError(f"Weaviate at {url} refuses the key; set [weaviate] api_key in karl.toml")
    try:
        return str(meta.json()["version"])
    except (ValueError, KeyError, TypeError) as exc:
        raise KarlError(f"{url} does not answer as Weaviate does; correct [weaviate] url in karl.toml") from exc


def check_grpc(settings: WeaviateSettings) -> None:
    """Raises: ServerAway, sooner than the client would, which tries a search for a minute."""
    import grpc

    place = grpc_place(settings)
    secure = settings.url.startswith("https")
    credentials = grpc.ssl_channel_credentials()
    channel = grpc.secure_channel(place, credentials) if secure else grpc.insecure_channel(place)
    try:
        grpc.channel_ready_future(channel).result(timeout=settings.connect_seconds)
    except grpc.FutureTimeoutError as exc:
        raise ServerAway(f"no gRPC at {place} ([weaviate] grpc in karl.toml)") from exc
    finally:
        channel.close()


def describe(settings: WeaviateSettings) -> str:
    """What answers over HTTP and over gRPC, for `karl doctor`. One try. Raises: KarlError."""
    link = WeaviateLink(settings.model_copy(update={"retries": 0}))
    used = link.call(lambda client: client.collections.exists(f"{settings.collection}_manifests"))
    version = check_ready(settings)
    link.close()
    return f"{settings.url} is Weaviate {version}, {'with' if used else 'without'} corpora under {settings.collection}"


def grpc_place(settings: WeaviateSettings) -> str:
    """host:port."""
    if ":" in settings.grpc:
        return settings.grpc
    return f"{settings.grpc or urlsplit(settings.url).hostname}:{GRPC_PORT}"


def _client(settings: WeaviateSettings) -> WeaviateClient:
    import weaviate
    from weaviate.classes.init import AdditionalConfig, Auth, Timeout
    from weaviate.connect import ConnectionParams

    place = urlsplit(settings.url)
    secure = place.scheme == "https"
    host, _, port = grpc_place(settings).rpartition(":")
    parameters = ConnectionParams.from_params(
        http_host=place.hostname or "",
        http_port=place.port or (443 if secure else 80),
        http_secure=secure,
        grpc_host=host,
        grpc_port=int(port),
        grpc_secure=secure,
    )
    timeout = Timeout(query=settings.query_seconds, insert=settings.insert_seconds, init=settings.connect_seconds)
    return weaviate.WeaviateClient(
        parameters,
        auth_client_secret=Auth.api_key(settings.api_key) if settings.api_key else None,
        additional_config=AdditionalConfig(timeout=timeout, trust_env=True),
        # They ask PyPI for a newer client; what they check of the server, we have checked.
        skip_init_checks=True,
    )


def passes(exc: BaseException) -> bool:
    """Whether the same request may succeed later: the server is away, starting, slow or busy."""
    from weaviate.exceptions import (
        UnexpectedStatusCodeError,
        WeaviateConnectionError,
        WeaviateStartUpError,
        WeaviateTimeoutError,
    )

    if isinstance(exc, UnexpectedStatusCodeError):
        return exc.status_code == httpx.codes.TOO_MANY_REQUESTS or exc.status_code >= 500
    away = (WeaviateConnectionError, WeaviateStartUpError, WeaviateTimeoutError, httpx.TransportError, ServerAway)
    return isinstance(exc, away) or grpc_code(exc) in PASSING


def explained(exc: BaseException, *, url: str) -> KarlError:
    """With what to do about it."""
    said = " ".join(str(getattr(exc, "message", None) or exc).split())[:400]
    if grpc_code(exc) in REFUSED or getattr(exc, "status_code", 0) in (401, 403):
        return UsageError(f"Weaviate at {url} refuses the key: {said}; set [weaviate] api_key in karl.toml")
    if passes(exc):
        return KarlError(f"Weaviate at {url} does not answer: {said}; is it running? karl doctor")
    return KarlError(f"Weaviate at {url}: {said}")


def grpc_code(exc: BaseException) -> str:
    """Of the call that failed underneath; empty where there is none."""
    import grpc

    for cause in _causes(exc):
        if isinstance(cause, grpc.RpcError) and isinstance(cause, grpc.Call):
            return cause.code().name
    return ""


def _causes(exc: BaseException | None) -> Iterator[Any]:
    while exc is not None:
        yield exc
        exc = exc.__cause__ or exc.__context__
