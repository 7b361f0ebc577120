"""`agents.engines.base.Engine` and `StreamingEngine` over a model in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from transformers import PreTrainedModel

from agents.engines.base import Delta, GenerateRequest, Generation
from agents.engines.local.cached_model import CachedModel
from agents.engines.local.jobs import Job, new_job
from agents.engines.local.worker import Worker


class LocalEngine:
    """A conversation's KV cache stays until it is released, so a next turn only computes its new tokens.

    max_rows: conversations kept and computed at once, fewer where so many long ones would not fit into `cache_gib`;
    with more under way than rows a turn finds its beginning evicted, and computes it anew.
    capacity: tokens a conversation, to begin with (the cache grows).
    """

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        name: str = "local",
        max_rows: int = 384,
        capacity: int = 256,
        cache_gib: float = 4.0,
    ) -> None:
        """Raises: UsageError for an architecture that this engine would compute wrongly."""
        self._name = name
        self._cached = CachedModel(model, name=name, max_rows=max_rows, capacity=capacity, cache_gib=cache_gib)
        self._worker = Worker(self._cached, name=name)

    @property
    def model(self) -> str:
        return self._name

    @property
    def tokens_computed(self) -> int:
        return self._cached.tokens_computed

    @property
    def tokens_sampled(self) -> int:
        return self._worker.tokens_sampled

    async def generate(self, request: GenerateRequest) -> Generation:
        """Sample one continuation. Raises EngineError if the request is none, the model fails or the engine closes."""
        return await self._submit(request, grown=None).future

    async def stream(self, request: GenerateRequest) -> AsyncGenerator[Delta, None]:
        """The same continuation, a delta for what has been sampled since the last one was taken. Raises EngineError."""
        job = self._submit(request, grown=(grown := asyncio.Event()))
        job.future.add_done_callback(lambda _: grown.set())
        taken = 0
        try:
            while await grown.wait() and not job.future.done():
                grown.clear()
                count = len(job.logprobs)  # written after the id: so many are whole
                if count > taken:
                    yield Delta(job.token_ids[taken:count], job.logprobs[taken:count])
                    taken = count
            whole = job.future.result()
            yield Delta(whole.token_ids[taken:], whole.logprobs[taken:], whole.finish_reason)
        finally:
            job.future.cancel()  # the worker drops the row at its next step; nothing happens to one that is done

    def _submit(self, request: GenerateRequest, *, grown: asyncio.Event | None) -> Job:
        job = new_job(request, vocabulary=self._cached.vocabulary, grown=grown)
        self._worker.put(job)
        return job

    def release(self, session: str) -> None:
        self._worker.release(session)

    async def aclose(self) -> None:
        await asyncio.to_thread(self._worker.close)
