"""One HTTP endpoint: JSON in and out, server-sent events, and errors that say whether to ask elsewhere.

One request, one try: who tries again, and where, is decided in `agents.engines.router`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from agents.engines.settings import EndpointSettings
from agents.errors import EndpointError, EngineError

# The server's trouble, not the request's.
BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
SHOWN = 500  # characters of a refusal
PROBE_SECONDS = 5.0
LONGEST_WAIT = 300.0  # seconds that a Retry-After is believed


class Endpoint:
    """A client of one server. Raises EndpointError when the server fails, EngineError when it refuses a request."""

    def __init__(self, settings: EndpointSettings) -> None:
        self.url = settings.base_url.rstrip("/")
        self._client = httpx.AsyncClient(
            base_url=self.url,
            headers={"Authorization": f"Bearer {settings.api_key}"} if settings.api_key else {},
            timeout=httpx.Timeout(settings.timeout_seconds, connect=settings.connect_seconds),
            limits=httpx.Limits(max_connections=settings.connections, max_keepalive_connections=settings.connections),
        )

    async def post(self, path: str, payload: dict[str, Any]) -> httpx.Response:
        """The 200 answer to a JSON body."""
        async with _typed(f"{self.url}{path}"):
            response = await self._client.post(path, json=payload)
        _check(response)
        return response

    async def stream(self, path: str, payload: dict[str, Any]) -> AsyncGenerator[str, None]:
        """The data of each server-sent event, without the closing `[DONE]`."""
        async with _typed(f"{self.url}{path}"), self._client.stream("POST", path, json=payload) as response:
            if response.status_code != httpx.codes.OK:
                await response.aread()
            _check(response)
            async for line in response.aiter_lines():
                if not line.startswith("data:"):
                    continue
                data = line.removeprefix("data:").strip()
                if data == "[DONE]":
                    return
                if data.startswith('{"error"'):
                    # The status was sent before the server's own engine failed.
                    raise EndpointError(f"{self.url}{path} broke off: {data[:SHOWN]}")
                yield data
        raise EndpointError(f"{self.url}{path}: the stream ended before it was done")

    async def models(self) -> set[str] | None:
        """Names of the models that it serves; None where it does not list them. Raises: EndpointError."""
        async with _typed(f"{self.url}/models"):
            response = await self._client.get("/models", timeout=PROBE_SECONDS)
        if response.status_code in BUSY:
            _check(response)
        try:
            return {str(entry["id"]) for entry in response.json()["data"]}
        except (ValueError, KeyError, TypeError):
            return None

    async def aclose(self) -> None:
        await self._client.aclose()


@asynccontextmanager
async def _typed(url: str) -> AsyncIterator[None]:
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout) as exc:
        raise EndpointError(f"endpoint down: {url}: {exc}; is it running? karl doctor", down=True) from exc
    except httpx.TimeoutException as exc:
        raise EndpointError(f"no answer in time: {url}: {type(exc).__name__}") from exc
    except httpx.TransportError as exc:
        # Also what a killed server leaves behind; asked again, a dead one refuses the connection.
        raise EndpointError(f"connection lost: {url}: {type(exc).__name__} {exc}".rstrip()) from exc


def _check(response: httpx.Response) -> None:
    """Raises: EndpointError for a server in trouble, EngineError for a request that no server would take."""
    if response.status_code == httpx.codes.OK:
        return
    reason = f"{response.request.url} refused with status {response.status_code}: {response.text[:SHOWN]}"
    if response.status_code in BUSY:
        raise EndpointError(reason, retry_after=_retry_after(response.headers.get("retry-after", "")))
    raise EngineError(reason)


def _retry_after(text: str) -> float | None:
    """Seconds of a Retry-After header, which is a number or a date; None where it is missing or unreadable."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            date = parsedate_to_datetime(text)
        except ValueError:
            return None
        seconds = (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), LONGEST_WAIT)
