"""What a failed request to a Weaviate server means: worth another try or not, and what to do about it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Any

import httpx

from store.errors import KarlError, UsageError

REFUSED = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED"})
# We cancel nothing: a server that stops does.
PASSING = frozenset({"DEADLINE_EXCEEDED", "UNAVAILABLE", "ABORTED", "RESOURCE_EXHAUSTED", "CANCELLED"})


class ServerAway(Exception):
    """It may come back."""


def passes(exc: BaseException) -> bool:
    """Whether the same request may succeed later: the server is away, starting, slow or busy."""
    from weaviate.exceptions import (
        UnexpectedStatusCodeError,
        WeaviateConnectionError,
        WeaviateStartUpError,
        WeaviateTimeoutError,
    )

    if is_untrusted(exc):
        return False
    if isinstance(exc, UnexpectedStatusCodeError):
        return exc.status_code == httpx.codes.TOO_MANY_REQUESTS or exc.status_code >= 500
    away = (WeaviateConnectionError, WeaviateStartUpError, WeaviateTimeoutError, httpx.TransportError, ServerAway)
    return isinstance(exc, away) or grpc_code(exc) in PASSING


def explained(exc: BaseException, *, url: str) -> KarlError:
    """With what to do about it."""
    said = " ".join(str(getattr(exc, "message", None) or exc).split())[:400]
    if grpc_code(exc) in REFUSED or getattr(exc, "status_code", 0) in (401, 403):
        return UsageError(f"Weaviate at {url} refuses the key: {said}; set [weaviate] api_key in karl.toml")
    if is_untrusted(exc):
        return untrusted(url, said=said)
    if passes(exc):
        return KarlError(f"Weaviate at {url} does not answer: {said}; is it running? karl doctor")
    return KarlError(f"Weaviate at {url}: {said}")


def is_untrusted(exc: BaseException) -> bool:
    """Whether the server's certificate was refused: no other try goes better."""
    return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(exc))


def untrusted(place: str, *, said: str) -> UsageError:
    """place: where the certificate was shown."""
    return UsageError(
        f"the certificate of Weaviate at {place} is not trusted: {said}; name the file of the CA that signed it in "
        "both SSL_CERT_FILE (HTTP) and GRPC_DEFAULT_SSL_ROOTS_FILE_PATH (gRPC), or correct the host in karl.toml"
    )


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
