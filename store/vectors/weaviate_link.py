"""The connection to a Weaviate server: opened when first needed, tried again within bounds, errors with their mend."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import httpx

from store.errors import UsageError
from store.search_servers import WeaviateSettings
from store.vectors.weaviate_errors import ServerAway, explained, passes
from store.vectors.weaviate_probe import check_grpc, check_ready, collection_descriptions, grpc_place

if TYPE_CHECKING:
    from weaviate import WeaviateClient

ResultT = TypeVar("ResultT")
LONGEST_WAIT = 30.0  # seconds


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

    def descriptions(self) -> dict[str, str]:
        """Of all collections, by name. Raises: KarlError."""
        return self.call(lambda _: collection_descriptions(self.settings))

    def drop_collection(self, name: str) -> None:
        """Remove it, if it is there. Raises: KarlError."""
        self.call(lambda client: client.collections.delete(name) if client.collections.exists(name) else None)

    def close(self) -> None:
        """May be called again; what is asked after it connects anew."""
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
                try:
                    client.connect()
                except BaseException:
                    client.close()
                    raise
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


def describe(settings: WeaviateSettings) -> str:
    """What answers over HTTP and over gRPC, for `karl doctor`. One try. Raises: KarlError."""
    link = WeaviateLink(settings.model_copy(update={"retries": 0}))
    try:
        used = link.call(lambda client: client.collections.exists(f"{settings.collection}_manifests"))
        version = check_ready(settings)
    finally:
        link.close()
    return f"{settings.url} is Weaviate {version}, {'with' if used else 'without'} corpora under {settings.collection}"


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
