"""A vLLM server behind `/v1/completions`: token ids in; token ids and raw log-probs out. Nothing is retokenised.

Needs a vLLM that knows `return_token_ids` (0.10.2 and later). It caches prefixes by itself: sessions need no release.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents.engines.base import GenerateRequest, Generation
from agents.errors import EngineError

_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})


class VllmSettings(BaseModel):
    """One endpoint. Frozen; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str = Field(description="with the /v1, such as http://localhost:8000/v1")
    model: str = Field(description="the name that the server gives the model")
    api_key: str = Field(default="", repr=False)
    timeout_seconds: float = Field(default=600.0, gt=0, description="per request")
    connect_seconds: float = Field(default=5.0, gt=0)
    retries: int = Field(default=4, ge=0, description="after connection errors, 429 and 5xx")
    backoff_seconds: float = Field(default=0.5, ge=0, description="doubles with every try")
    connections: int = Field(default=512, ge=1)


class _LogProbs(BaseModel):
    token_logprobs: list[float]


class _Choice(BaseModel):
    """What we read of a choice; a server that leaves out the ids can't be trained from."""

    token_ids: list[int]
    logprobs: _LogProbs
    finish_reason: str


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)


class VllmEngine:
    """`Engine` over HTTP. A request is repeated as it is, with its seed, so a retry is safe."""

    def __init__(self, settings: VllmSettings, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.settings = settings
        headers = {"Authorization": f"Bearer {settings.api_key}"} if settings.api_key else {}
        self._client = httpx.AsyncClient(
            base_url=settings.base_url.rstrip("/"),
            headers=headers,
            transport=transport,
            timeout=httpx.Timeout(settings.timeout_seconds, connect=settings.connect_seconds),
            limits=httpx.Limits(max_connections=settings.connections, max_keepalive_connections=settings.connections),
        )

    @property
    def model(self) -> str:
        return self.settings.model

    async def generate(self, request: GenerateRequest) -> Generation:
        """Raises: EngineError when the endpoint is down, refuses, or answers without token ids."""
        response = await self._post(_payload(request, model=self.settings.model))
        if response.status_code != httpx.codes.OK:
            raise EngineError(f"{self._url} refused with status {response.status_code}: {response.text[:500]}")
        return self._read(response)

    def release(self, session: str) -> None:
        """Nothing to do: the server evicts by itself."""

    async def aclose(self) -> None:
        await self._client.aclose()

    @property
    def _url(self) -> str:
        return f"{self.settings.base_url.rstrip('/')}/completions"

    async def _post(self, payload: dict[str, Any]) -> httpx.Response:
        for attempt in range(self.settings.retries + 1):
            last = attempt == self.settings.retries
            try:
                response = await self._client.post("/completions", json=payload)
            except httpx.TimeoutException as exc:
                if last:
                    raise EngineError(f"no answer in time: {self._url}: {type(exc).__name__}") from exc
            except httpx.TransportError as exc:
                if last:
                    raise EngineError(f"endpoint down: {self._url}: {exc}; is it running? karl doctor") from exc
            else:
                if last or response.status_code not in _RETRIED:
                    return response
            await asyncio.sleep(self.settings.backoff_seconds * 2**attempt)
        raise AssertionError("the last try returns or raises")

    def _read(self, response: httpx.Response) -> Generation:
        try:
            choice = _Completion.model_validate_json(response.content).choices[0]
        except ValidationError as exc:
            where = ".".join(map(str, exc.errors()[0]["loc"]))
            raise EngineError(
                f"{self._url} answered without '{where}': token ids and log-probs are needed; use vLLM 0.10.2 or later"
            ) from exc
        ids, logprobs = choice.token_ids, choice.logprobs.token_logprobs
        if len(ids) != len(logprobs):
            raise EngineError(f"{self._url} answered {len(ids)} token ids with {len(logprobs)} log-probs")
        if choice.finish_reason not in ("stop", "length"):
            raise EngineError(f"{self._url} broke off the generation: {choice.finish_reason}")
        return Generation(ids, logprobs, "stop" if choice.finish_reason == "stop" else "length")


def _payload(request: GenerateRequest, *, model: str) -> dict[str, Any]:
    sampling = request.sampling
    return {
        "model": model,
        "prompt": list(request.prompt_ids),
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": sampling.seed,
        "stop_token_ids": list(sampling.stop_ids),
        "logprobs": 0,  # of the sampled token alone
        "return_token_ids": True,
        "skip_special_tokens": False,
    }
