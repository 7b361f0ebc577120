"""The one thread that owns the model: takes requests from its inbox, and decodes all conversations step by step.

Requests join and leave the running batch between decoding steps.
"""

from __future__ import annotations

import queue
import threading

import torch

from agents.engines.local.cached_model import CachedModel
from agents.engines.local.jobs import Job, deliver, failed, tell
from agents.engines.local.rows import Rows
from agents.engines.local.sampling import sample
from agents.errors import EngineError


class Worker:
    """Runs from construction to `close`. Only `put`, `release` and `close` are for other threads."""

    def __init__(self, model: CachedModel, *, name: str) -> None:
        self._model = model
        self.rows = Rows(model.cache)
        self.tokens_sampled = 0
        self._waiting: list[Job] = []
        self._inbox: queue.SimpleQueue[Job | str | None] = queue.SimpleQueue()
        self._closed = False
        self._gate = threading.Lock()  # nothing may enter the inbox behind the closing mark
        self._thread = threading.Thread(target=self._work, name=f"engine-{name}", daemon=True)
        self._thread.start()

    @property
    def idle(self) -> bool:
        return not self.rows.active and not self._waiting

    def put(self, job: Job) -> None:
        """Raises: EngineError once it is closed."""
        with self._gate:
            if self._closed:
                raise EngineError("local engine: closed")
            self._inbox.put(job)

    def release(self, session: str) -> None:
        self._inbox.put(session)

    def close(self) -> None:
        """Fail what is under way, and wait for the thread to end."""
        with self._gate:
            self._closed = True
            self._inbox.put(None)
        self._thread.join()

    def _work(self) -> None:
        while self._receive():
            try:
                with torch.inference_mode():
                    if self._should_admit():
                        self._prefill()
                    if self.rows.active:
                        self._decode()
            except Exception as exc:
                self._fail(f"local engine: {type(exc).__name__}: {exc}", exc)
        self._fail("local engine: closed while a request was running", None)

    def _receive(self) -> bool:
        """Take what has arrived; wait only when there is nothing to compute. False: close."""
        block = self.idle
        while True:
            try:
                item = self._inbox.get(block=block)
            except queue.Empty:
                return True
            if item is None:
                return False
            if isinstance(item, str):
                self.rows.forget(item)
            else:
                self._waiting.append(item)
                block = False

    def _should_admit(self) -> bool:
        """Few newcomers wait for each other, so that a prefill is worth interrupting the decoding for."""
        free = self.rows.free
        return bool(self._waiting) and free > 0 and len(self._waiting) >= min(free, self.rows.active // 6)

    def _prefill(self) -> None:
        first = self.rows.active
        self._waiting = self.rows.admit(self._waiting)
        admitted = self.rows.computed(first)
        if not admitted:
            return
        prompts = [list(job.request.prompt_ids) for _, job in admitted]
        logits_BV = self._model.prefill(prompts, [len(row.cached) for row, _ in admitted], first=first)
        for (row, _), prompt in zip(admitted, prompts, strict=True):
            row.cached = prompt
        self._sample(logits_BV, [job for _, job in admitted], first=first)

    def _decode(self) -> None:
        self.rows.clock += 1
        computed = self.rows.computed()
        lasts = [job.token_ids[-1] for _, job in computed]
        logits_BV = self._model.decode(lasts, [len(row.cached) for row, _ in computed])
        for (row, _), last in zip(computed, lasts, strict=True):
            row.cached.append(last)
        self._sample(logits_BV, [job for _, job in computed], first=0)

    def _sample(self, logits_BV: torch.Tensor, jobs: list[Job], *, first: int) -> None:
        """Draw one token for each row from `first` on, then retire the rows that are done."""
        uniforms = [job.uniforms[len(job.token_ids)] for job in jobs]
        drawn = sample(logits_BV, [job.request.sampling for job in jobs], uniforms=uniforms)
        self.tokens_sampled += len(jobs)
        for job, token, logprob in zip(jobs, *drawn, strict=True):
            job.take(token, logprob)
        tell(jobs)
        deliver(self.rows.retire(first))

    def _fail(self, reason: str, cause: Exception | None) -> None:
        jobs = [*self.rows.clear(), *self._waiting]
        self._waiting = []
        deliver(failed(jobs, reason, cause))
