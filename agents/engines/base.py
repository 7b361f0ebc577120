"""What an inference engine is: token ids in; token ids, log-probs and finish reason out; batched, asynchronous."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How to sample one continuation. temperature 0 is greedy; `seed` makes one request reproducible."""

    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    stop_ids: tuple[int, ...] = ()
    seed: int = 0


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """`session` names a conversation: an engine may keep its KV cache until `release(session)`."""

    prompt_ids: Sequence[int]
    sampling: SamplingParams
    session: str = ""


class Generation(NamedTuple):
    """token_ids: T sampled ids, a sampled stop id included; logprobs: T nats of the raw model (temperature 1)."""

    token_ids: list[int]
    logprobs: list[float]
    finish_reason: Literal["stop", "length"]


class Engine(Protocol):
    """Raises `agents.errors.EngineError` when it cannot answer; never returns a made-up token."""

    @property
    def model(self) -> str: ...

    async def generate(self, request: GenerateRequest) -> Generation: ...

    def release(self, session: str) -> None: ...

    async def aclose(self) -> None: ...
