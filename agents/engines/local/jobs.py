"""A request on its way through the engine: checked when it comes, answered in the event loop that it came from."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from agents.engines.base import FinishReason, GenerateRequest, Generation
from agents.engines.delivery import Answer, hand_over, settle
from agents.errors import EngineError


@dataclass(eq=False)
class Job:
    """What has been sampled of one request so far."""

    request: GenerateRequest
    future: asyncio.Future[Generation]
    loop: asyncio.AbstractEventLoop
    uniforms: np.ndarray
    stops: frozenset[int]
    token_ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    grown: asyncio.Event | None = None  # set in `loop` after every step; None: nobody reads along

    def take(self, token: int, logprob: float) -> None:
        # In this order: who reads along counts the log-probs, and finds as many whole pairs.
        self.token_ids.append(token)
        self.logprobs.append(logprob)

    @property
    def finish_reason(self) -> FinishReason | None:
        if self.token_ids[-1] in self.stops:
            return "stop"
        return "length" if len(self.token_ids) >= self.request.sampling.max_tokens else None


Outcome = tuple[Job, Answer]


def new_job(request: GenerateRequest, *, vocabulary: int, grown: asyncio.Event | None) -> Job:
    """To be called in the loop that waits for it. Raises: EngineError."""
    _check(request, vocabulary=vocabulary)
    loop = asyncio.get_running_loop()
    uniforms = np.random.default_rng(request.sampling.seed).random(request.sampling.max_tokens)
    return Job(request, loop.create_future(), loop, uniforms, frozenset(request.sampling.stop_ids), grown=grown)


def _check(request: GenerateRequest, *, vocabulary: int) -> None:
    """A bad request must fail alone, not in the batch with all others. Raises: EngineError."""
    ids, sampling = request.prompt_ids, request.sampling
    if not ids:
        raise EngineError("local engine: an empty prompt")
    if min(ids) < 0 or max(ids) >= vocabulary:
        raise EngineError(
            f"local engine: token ids from {min(ids)} to {max(ids)}, the model knows 0 to {vocabulary - 1}"
        )
    if sampling.max_tokens < 1 or sampling.temperature < 0 or not 0 < sampling.top_p <= 1 or sampling.seed < 0:
        raise EngineError(f"local engine: cannot sample with {sampling}")


def failed(jobs: Sequence[Job], reason: str, cause: Exception | None) -> list[Outcome]:
    return [(job, _error(reason, cause)) for job in jobs]


def _error(reason: str, cause: Exception | None) -> EngineError:
    """One for each request: an exception raised in many tasks would collect all their tracebacks."""
    error = EngineError(reason)
    error.__cause__ = cause
    return error


def tell(jobs: Sequence[Job]) -> None:
    """Wake those who read along."""
    hand_over(((job.loop, job.grown) for job in jobs if job.grown is not None), _set_all)


def _set_all(events: list[asyncio.Event]) -> None:
    for event in events:
        event.set()


def deliver(done: Sequence[Outcome]) -> None:
    hand_over(((job.loop, (job.future, answer)) for job, answer in done), settle)
