"""A vLLM server behind `/v1/completions`: token ids in; token ids and raw log-probs out. Nothing is retokenised.

Needs a vLLM that knows `return_token_ids` (0.10.2 and later), in its default `--logprobs-mode raw_logprobs`. It caches
prefixes by itself: sessions need no release.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from pydantic import BaseModel, Field

from agents.engines.base import Delta, GenerateRequest, Generation
from agents.engines.http_engine import HttpEngine
from agents.errors import EndpointError, EngineError


class _LogProbs(BaseModel):
    token_logprobs: list[float]


class _Tokens(BaseModel):
    """What we read of a choice; a server that leaves out the ids can't be trained from."""

    token_ids: list[int]
    logprobs: _LogProbs
    prompt_token_ids: list[int] | None = None


class _Piece(_Tokens):
    """Of a stream: only the last one has a reason to end."""

    finish_reason: str | None = None


class _Choice(_Tokens):
    finish_reason: str


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)


class _Chunk(BaseModel):
    choices: list[_Piece] = Field(min_length=1)


class VllmEngine(HttpEngine):
    """`Engine` and `StreamingEngine`."""

    path = "/completions"
    mend = ": token ids and log-probs are needed; use vLLM 0.10.2 or later"

    async def generate(self, request: GenerateRequest) -> Generation:
        """Raises: EngineError when the endpoint is down, refuses, or answers without token ids."""
        response = await self._endpoint.post(self.path, _payload(request, model=self.model))
        choice = self._read(_Completion, response.content).choices[0]
        self._check(choice, request)
        return Generation(choice.token_ids, choice.logprobs.token_logprobs, self._reason(choice.finish_reason))

    async def stream(self, request: GenerateRequest) -> AsyncGenerator[Delta, None]:
        """Raises: as `generate`; EndpointError when the stream breaks off."""
        payload = {**_payload(request, model=self.model), "stream": True}
        async with aclosing(self._endpoint.stream(self.path, payload)) as events:
            async for event in events:
                piece = self._read(_Chunk, event).choices[0]
                self._check(piece, request)
                reason = self._reason(piece.finish_reason) if piece.finish_reason else None
                yield Delta(piece.token_ids, piece.logprobs.token_logprobs, reason)

    async def probe(self) -> None:
        """Raises: EndpointError when the server does not answer, or came back with another model."""
        models = await self._endpoint.models()
        if models is not None and self.model not in models:
            raise EndpointError(f"{self.url} serves {', '.join(sorted(models))}, not {self.model}", down=True)

    def _check(self, piece: _Tokens, request: GenerateRequest) -> None:
        """A server that cut the prompt, or put a token before it, sampled from another context than is recorded."""
        ids, logprobs, echoed = piece.token_ids, piece.logprobs.token_logprobs, piece.prompt_token_ids
        if len(ids) != len(logprobs):
            raise EngineError(f"{self.url}{self.path} answered {len(ids)} token ids with {len(logprobs)} log-probs")
        if echoed is not None and echoed != list(request.prompt_ids):
            raise EngineError(
                f"{self.url}{self.path} read {len(echoed)} prompt tokens, other than the {len(request.prompt_ids)} sent"
            )


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
        # Unset, they come from the model's generation_config.json, and the log-probs would not be those of the draw.
        "top_k": 0,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
    }
