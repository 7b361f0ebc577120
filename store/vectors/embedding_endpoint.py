"""`POST /embeddings`: one batch of texts in, one vector each out; a server in trouble is asked again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from store.errors import KarlError, UsageError
from store.search_servers import EmbeddingSettings

# The server's trouble, not the request's.
BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
TOO_LARGE = httpx.codes.REQUEST_ENTITY_TOO_LARGE  # TEI: more texts than it takes at once
SHOWN = 300  # characters of a refusal
LONGEST_WAIT = 60.0  # seconds


class _Row(BaseModel):
    index: int
    embedding: list[float]


class _Reply(BaseModel):
    data: list[_Row]


class EmbeddingEndpoint:
    """Safe across threads. Raises: KarlError that names the URL, what it said, and the mend."""

    def __init__(self, model: str, *, settings: EmbeddingSettings, keys: dict[str, Any]) -> None:
        if not settings.base_url:
            raise UsageError(f"embedder 'endpoint:{model}' needs a server: set [embedding] base_url in karl.toml")
        self.url = settings.base_url.rstrip("/") + "/embeddings"
        self._settings = settings
        self._request = {"model": model, "encoding_format": "float", **keys, **settings.extra}
        connections = httpx.Limits(max_connections=settings.concurrency, max_keepalive_connections=settings.concurrency)
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {settings.api_key}"} if settings.api_key else {},
            timeout=httpx.Timeout(settings.timeout_seconds, connect=5.0),
            limits=connections,
        )

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """N x D, in the order of the texts. A batch that is too large for the server is halved."""
        response = self._post(texts)
        if response.status_code == TOO_LARGE and len(texts) > 1:
            half = len(texts) // 2
            return np.concatenate([self.embed(texts[:half]), self.embed(texts[half:])])
        if response.status_code != httpx.codes.OK:
            raise self._refused(response)
        return self._rows(response, count=len(texts))

    def _post(self, texts: Sequence[str]) -> httpx.Response:
        """The first answer that is not the server's own trouble, or the last one."""
        for tried in range(self._settings.retries + 1):
            last = tried == self._settings.retries
            wait = self._settings.backoff_seconds * 2**tried
            try:
                response = self._client.post(self.url, json={**self._request, "input": list(texts)})
            except httpx.TransportError as exc:
                if last:
                    raise KarlError(
                        f"{self.url} does not answer: {type(exc).__name__} {exc}; is it running? karl doctor"
                    ) from exc
            else:
                if response.status_code not in BUSY or last:
                    return response
                wait = _retry_after(response.headers.get("retry-after", ""), otherwise=wait)
            time.sleep(min(wait, LONGEST_WAIT))
        raise AssertionError("the last try returns or raises")

    def _refused(self, response: httpx.Response) -> KarlError:
        status, said = response.status_code, response.text[:SHOWN]
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            return UsageError(f"{self.url} refused the key with status {status}; set [embedding] api_key in karl.toml")
        mend = "is the model's name right, and do texts fit it ([embedding] max_tokens)?"
        return KarlError(f"{self.url} refused with status {status}: {said}; {mend}")

    def _rows(self, response: httpx.Response, *, count: int) -> NDArray[np.float32]:
        try:
            rows = sorted(_Reply.model_validate_json(response.content).data, key=lambda row: row.index)
        except ValidationError as exc:
            where = ".".join(map(str, exc.errors()[0]["loc"]))
            raise KarlError(f"{self.url} answered without a readable '{where}'; is it an embeddings endpoint?") from exc
        lengths = {len(row.embedding) for row in rows}
        if [row.index for row in rows] != list(range(count)) or len(lengths) != 1:
            raise KarlError(f"{self.url} answered {len(rows)} vectors of {lengths} numbers to {count} texts")
        return np.array([row.embedding for row in rows], dtype=np.float32)


def _retry_after(text: str, *, otherwise: float) -> float:
    """Seconds of a Retry-After header, a number or a date."""
    try:
        return max(0.0, float(text))
    except ValueError:
        try:
            date = parsedate_to_datetime(text)
        except ValueError:
            return otherwise
        return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
