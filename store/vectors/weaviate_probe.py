"""What is asked of a Weaviate server before and beside its client: whether it answers, and how its collections lie."""

from __future__ import annotations

import os
import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import certifi
import httpx

from store.errors import KarlError, UsageError
from store.search_servers import WeaviateSettings
from store.vectors.weaviate_errors import ServerAway, untrusted

if TYPE_CHECKING:
    import grpc

GRPC_PORT = 50051
GRPC_ROOTS = "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"


def check_ready(settings: WeaviateSettings) -> str:
    """The server's version. Raises: httpx.TransportError, ServerAway; KarlError for another server's answer."""
    url = settings.url.rstrip("/")
    with _http(settings) as client:
        ready, meta = client.get(f"{url}/v1/.well-known/ready"), client.get(f"{url}/v1/meta")
    if ready.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        raise ServerAway("it is not ready")
    if meta.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise UsageError(f"Weaviate at {url} refuses the key; set [weaviate] api_key in karl.toml")
    try:
        return str(meta.json()["version"])
    except (ValueError, KeyError, TypeError) as exc:
        raise KarlError(f"{url} does not answer as Weaviate does; correct [weaviate] url in karl.toml") from exc


def collection_descriptions(settings: WeaviateSettings) -> dict[str, str]:
    """By name. Not by the client: it reads every key of every collection, and fails on those of a later server.

    Raises: httpx.TransportError, ServerAway; KarlError.
    """
    url = settings.url.rstrip("/")
    with _http(settings) as client:
        answer = client.get(f"{url}/v1/schema")
    if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise ServerAway(f"its schema is not to be had: {answer.text[:200]}")
    if answer.is_error:
        raise KarlError(f"Weaviate at {url} does not tell its collections: {answer.status_code} {answer.text[:200]}")
    return {one["class"]: one.get("description") or "" for one in answer.json().get("classes") or ()}


def _http(settings: WeaviateSettings) -> httpx.Client:
    headers = {"Authorization": f"Bearer {settings.api_key}"} if settings.api_key else {}
    return httpx.Client(headers=headers, timeout=settings.connect_seconds)


def check_grpc(settings: WeaviateSettings) -> None:
    """Raises: ServerAway, sooner than the client would, which tries a search for a minute; UsageError where its
    certificate is not trusted.
    """
    import grpc

    place = grpc_place(settings)
    secure = settings.url.startswith("https")
    channel = grpc.secure_channel(place, _credentials()) if secure else grpc.insecure_channel(place)
    try:
        grpc.channel_ready_future(channel).result(timeout=settings.connect_seconds)
    except grpc.FutureTimeoutError as exc:
        if secure:
            _check_certificate(place, timeout=settings.connect_seconds)
        raise ServerAway(f"no gRPC at {place} ([weaviate] grpc in karl.toml)") from exc
    finally:
        channel.close()


def _credentials() -> grpc.ChannelCredentials:
    """As the client takes them, so that the check meets what the client would meet."""
    import grpc

    return grpc.ssl_channel_credentials(None if os.environ.get(GRPC_ROOTS) else Path(certifi.where()).read_bytes())


def _check_certificate(place: str, *, timeout: float) -> None:
    """gRPC says only that it is not connected. Raises: UsageError where that is the certificate's fault."""
    host, _, port = place.rpartition(":")
    trusted = ssl.create_default_context(cafile=os.environ.get(GRPC_ROOTS) or certifi.where())
    trusted.set_alpn_protocols(["h2"])
    try:
        with (
            socket.create_connection((host, int(port)), timeout=timeout) as plain,
            trusted.wrap_socket(plain, server_hostname=host),
        ):
            return
    except ssl.SSLCertVerificationError as exc:
        raise untrusted(place, said=exc.verify_message) from exc
    except OSError:
        return  # nothing there, or no TLS: the caller says so


def grpc_place(settings: WeaviateSettings) -> str:
    """host:port."""
    if ":" in settings.grpc:
        return settings.grpc
    return f"{settings.grpc or urlsplit(settings.url).hostname}:{GRPC_PORT}"
