"""What an inference engine is: token ids in; token ids, log-probs and finish reason out; batched, asynchronous."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, runtime_checkable

FinishReason = Literal["stop", "length"]


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
    """`session` names a conversation: an engine may keep its KV cache until `release(session)`.

    `fork_of`: another session with the same beginning; a new session may take its cache from there.
    """

    prompt_ids: Sequence[int]
    sampling: SamplingParams
    session: str = ""
    fork_of: str = ""


class Generation(NamedTuple):
    """token_ids: T sampled ids, a sampled stop id included; logprobs: T nats of the raw model (temperature 1)."""

    token_ids: list[int]
    logprobs: list[float]
    finish_reason: FinishReason


class Delta(NamedTuple):
    """What one continuation grew by: ids and log-probs as in `Generation`. Only its last delta has a finish_reason."""

    token_ids: list[int]
    logprobs: list[float]
    finish_reason: FinishReason | None = None


class Engine(Protocol):
    """Raises `agents.errors.EngineError` when it cannot answer; never returns a made-up token."""

    @property
    def model(self) -> str: ...

    async def generate(self, request: GenerateRequest) -> Generation: ...

    def release(self, session: str) -> None: ...

    async def aclose(self) -> None: ...


@runtime_checkable
class StreamingEngine(Protocol):
    """An engine that can also deliver while it samples: `isinstance(engine, StreamingEngine)` finds out."""

    def stream(self, request: GenerateRequest) -> AsyncGenerator[Delta, None]:
        """The tokens of `generate(request)`, bit for bit, in pieces. Closing the generator ends the sampling.

        Raises: EngineError, as `generate` does; also when the stream breaks off without a finish_reason.
        """
        ...


def joined(deltas: Iterable[Delta]) -> Generation:
    """All deltas of one continuation as one generation. Raises: ValueError when none of them ended it."""
    token_ids: list[int] = []
    logprobs: list[float] = []
    reason: FinishReason | None = None
    for delta in deltas:
        token_ids += delta.token_ids
        logprobs += delta.logprobs
        reason = delta.finish_reason or reason
    if reason is None:
        raise ValueError(f"a stream of {len(token_ids)} tokens ended without a finish reason")
    return Generation(token_ids, logprobs, reason)
