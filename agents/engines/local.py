"""The `local` engine: a transformers model in this process, with continuous batching of ragged conversations.

One worker thread owns the model. Requests join and leave the running batch between decoding steps; a conversation's KV
cache stays until it is released, so a next turn only computes its new tokens.
"""

from __future__ import annotations

import asyncio
import math
import queue
import threading
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.utils import logging

from agents.engines.base import Delta, GenerateRequest, Generation
from agents.engines.kv_cache import ATTENTION, SlotCache, rows_that_fit
from agents.engines.local_check import PROBE_TOKENS, check_agreement, plain_logits
from agents.engines.local_sampling import draw
from agents.errors import EngineError
from store.errors import UsageError


@dataclass(eq=False)
class _Job:
    request: GenerateRequest
    future: asyncio.Future[Generation]
    loop: asyncio.AbstractEventLoop
    uniforms: np.ndarray
    stops: frozenset[int]
    token_ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    grown: asyncio.Event | None = None  # set in `loop` after every step; None: nobody reads along


@dataclass(eq=False)  # rows are looked up by identity
class _Row:
    """A conversation's place in the cache. `cached` are the ids whose keys and values are stored."""

    session: str
    cached: list[int] = field(default_factory=list)
    job: _Job | None = None
    used: int = 0
    released: bool = False


def load_model(path: Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """Load a causal language model folder (or hub name). Raises UsageError when it is missing or unreadable."""
    try:
        with _no_bars():
            model = AutoModelForCausalLM.from_pretrained(path, dtype=dtype, local_files_only=Path(path).exists())
    except Exception as exc:
        raise UsageError(f"{path}: no readable model folder ({type(exc).__name__}: {exc})") from exc
    model.eval()
    return model.to(torch.device(device))  # pyright: ignore[reportArgumentType]


@contextmanager
def _no_bars() -> Iterator[None]:
    """Progress is drawn by whoever owns the screen, which a library does not."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


class LocalEngine:
    """Implements `agents.engines.base.Engine` on a model in memory.

    max_rows: conversations computed at once, fewer where so many long ones would not fit into `cache_gib`;
    capacity: tokens a conversation, to begin with (the cache grows).
    """

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        name: str = "local",
        max_rows: int = 192,
        capacity: int = 256,
        cache_gib: float = 4.0,
    ) -> None:
        """Raises: UsageError for an architecture that this engine would compute wrongly."""
        self.model_name = name
        self._model = model
        self._device = str(next(model.parameters()).device)
        expected_V = plain_logits(model, name=name)
        self._model.set_attn_implementation(ATTENTION)
        self._head: Any = model.get_output_embeddings()
        self._vocabulary = len(expected_V)
        dtype = next(model.parameters()).dtype
        rows = rows_that_fit(model.config, limit=max_rows, gib=cache_gib, dtype=dtype)
        self._cache = SlotCache(
            model.config, rows=rows, capacity=max(capacity, PROBE_TOKENS), device=self._device, dtype=dtype
        )
        check_agreement(self._probe, expected_V, name=name, dtype=dtype)
        self._rows: list[_Row | None] = [None] * rows
        self._active = 0
        self._by_session: dict[str, _Row] = {}
        self._clock = 0
        self._closed = False
        self._gate = threading.Lock()  # nothing may enter the inbox behind the closing mark
        self._inbox: queue.SimpleQueue[_Job | str | None] = queue.SimpleQueue()
        self._waiting: list[_Job] = []
        self.tokens_computed = 0
        self.tokens_sampled = 0
        self._thread = threading.Thread(target=self._work, name=f"engine-{name}", daemon=True)
        self._thread.start()

    def _probe(self, ids_T: torch.Tensor) -> torch.Tensor:
        """Logits [V] behind `ids_T`, by a prefill and one decoding step as in sampling."""
        with torch.inference_mode():
            self._forward(ids_T[None, :-1], torch.zeros(1, dtype=torch.long), first=0)
            return self._head(self._forward(ids_T[None, -1:], torch.tensor([len(ids_T) - 1]), first=0)[0, 0]).float()

    @property
    def model(self) -> str:
        return self.model_name

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

    def _submit(self, request: GenerateRequest, *, grown: asyncio.Event | None) -> _Job:
        _check(request, vocabulary=self._vocabulary)
        loop = asyncio.get_running_loop()
        uniforms = np.random.default_rng(request.sampling.seed).random(request.sampling.max_tokens)
        stops = frozenset(request.sampling.stop_ids)
        job = _Job(request, loop.create_future(), loop, uniforms, stops, grown=grown)
        with self._gate:
            if self._closed:
                raise EngineError("local engine: closed")
            self._inbox.put(job)
        return job

    def release(self, session: str) -> None:
        self._inbox.put(session)

    async def aclose(self) -> None:
        with self._gate:
            self._closed = True
            self._inbox.put(None)
        await asyncio.to_thread(self._thread.join)

    # -- the worker thread -------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while self._receive():
            try:
                with torch.inference_mode():
                    if self._should_admit():
                        self._prefill(self._admit())
                    if self._active:
                        self._decode()
            except Exception as exc:
                self._fail(f"local engine: {type(exc).__name__}: {exc}", exc)
        self._fail("local engine: closed while a request was running", None)

    def _receive(self) -> bool:
        """Take what has arrived; wait only when there is nothing to compute. False: close."""
        block = not self._active and not self._waiting
        while True:
            try:
                item = self._inbox.get(block=block)
            except queue.Empty:
                return True
            if item is None:
                return False
            if isinstance(item, str):
                self._forget(item)
            else:
                self._waiting.append(item)
                block = False

    def _forget(self, session: str) -> None:
        row = self._by_session.pop(session, None)
        if row is None:
            return
        row.released = True
        if row.job is None:
            self._rows[self._rows.index(row)] = None

    def _should_admit(self) -> bool:
        """Few newcomers wait for each other, so that a prefill is worth interrupting the decoding for."""
        free = len(self._rows) - self._active
        return bool(self._waiting) and free > 0 and len(self._waiting) >= min(free, self._active // 6)

    def _admit(self) -> list[_Row]:
        admitted: list[_Row] = []
        waiting, self._waiting = self._waiting, []
        for job in waiting:
            row = self._by_session.get(job.request.session) if job.request.session else None
            if self._active == len(self._rows) or (row is not None and row.job is not None):
                self._waiting.append(job)
            elif not job.future.cancelled():
                admitted.append(self._activate(job, row))
        return admitted

    def _activate(self, job: _Job, row: _Row | None) -> _Row:
        index = self._rows.index(row) if row is not None else self._free_index()
        if row is None:
            row = _Row(job.request.session)
            self._rows[index] = row
            if row.session:
                self._by_session[row.session] = row
        self._move(index, self._active)
        self._active += 1
        row.job, row.used = job, self._clock
        row.cached = row.cached[: _common_prefix(row.cached, job.request.prompt_ids)]
        self._fork(row, job.request)
        return row

    def _fork(self, row: _Row, request: GenerateRequest) -> None:
        """Copy what another session holds of the same prompt, where that is more than the row's own."""
        source = self._by_session.get(request.fork_of) if request.fork_of else None
        shared = _common_prefix(source.cached, request.prompt_ids) if source else 0
        if source and shared > len(row.cached):
            self._cache.copy(self._rows.index(source), self._rows.index(row), length=shared)
            row.cached = source.cached[:shared]

    def _free_index(self) -> int:
        """A row behind the active ones that holds nobody, or the longest unused conversation (recomputed later)."""
        behind = range(self._active, len(self._rows))
        index = next((i for i in behind if self._rows[i] is None), -1)
        if index < 0:
            index = min(behind, key=lambda i: self._rows[i].used)  # type: ignore[union-attr]
            evicted = self._rows[index]
            assert evicted is not None
            self._by_session.pop(evicted.session, None)
            self._rows[index] = None
        return index

    def _move(self, source: int, target: int) -> None:
        if source == target:
            return
        length = max((len(row.cached) for row in (self._rows[source], self._rows[target]) if row), default=0)
        if length:
            self._cache.swap(source, target, length=length)
        self._rows[source], self._rows[target] = self._rows[target], self._rows[source]

    def _prefill(self, rows: Sequence[_Row]) -> None:
        if not rows:
            return
        prompts = [list(row.job.request.prompt_ids) for row in rows if row.job is not None]
        starts = [len(row.cached) for row in rows]
        width = max(len(prompt) - start for prompt, start in zip(prompts, starts, strict=True))
        self._cache.reserve(max(starts) + width + 1)
        ids_BS = torch.zeros(len(rows), width, dtype=torch.long)
        for index, (prompt, start) in enumerate(zip(prompts, starts, strict=True)):
            ids_BS[index, : len(prompt) - start] = torch.tensor(prompt[start:])
        lasts = torch.tensor([len(p) - s - 1 for p, s in zip(prompts, starts, strict=True)], device=self._device)
        first = self._active - len(rows)
        hidden_BSE = self._forward(ids_BS, torch.tensor(starts), first=first)
        for row, prompt in zip(rows, prompts, strict=True):
            row.cached = prompt
        self.tokens_computed += int(lasts.sum()) + len(rows)
        self._sample(hidden_BSE[torch.arange(len(rows)), lasts], first=first)

    def _decode(self) -> None:
        self._clock += 1
        rows = [row for row in self._rows[: self._active] if row is not None and row.job is not None]
        ids_B1 = torch.tensor([[row.job.token_ids[-1]] for row in rows if row.job is not None])
        starts = torch.tensor([len(row.cached) for row in rows])
        self._cache.reserve(int(starts.max()) + 1)
        hidden_B1E = self._forward(ids_B1, starts, first=0)
        for row in rows:
            assert row.job is not None
            row.cached.append(row.job.token_ids[-1])
        self.tokens_computed += len(rows)
        self._sample(hidden_B1E[:, 0], first=0)

    def _forward(self, ids_BS: torch.Tensor, starts_B: torch.Tensor, *, first: int) -> torch.Tensor:
        """Hidden states [B, S, E] of new tokens that begin at `starts_B` of the rows from `first` on."""
        positions_BS = (starts_B[:, None] + torch.arange(ids_BS.shape[1])).to(self._device)
        length = int(positions_BS.max()) + 1
        # Padding sits behind each row's own tokens: causality hides it, the next turn overwrites it.
        mask_B1SL = torch.arange(length, device=self._device) <= positions_BS[:, None, :, None]
        self._cache.select(first, positions_BS, length=length)
        return self._model.base_model(
            input_ids=ids_BS.to(self._device),
            attention_mask=mask_B1SL,
            position_ids=positions_BS,
            past_key_values=self._cache,
            use_cache=True,
        ).last_hidden_state

    def _sample(self, hidden_BE: torch.Tensor, *, first: int) -> None:
        """Draw one token for each row from `first` on, then retire the rows that are done."""
        jobs = [
            row.job for row in self._rows[first : first + len(hidden_BE)] if row is not None and row.job is not None
        ]
        logits_BV = self._head(hidden_BE).float()
        logprobs_BV = logits_BV.log_softmax(-1)
        uniforms = [job.uniforms[len(job.token_ids)] for job in jobs]
        tokens_B = draw(logits_BV, [job.request.sampling for job in jobs], uniforms=uniforms)
        chosen = logprobs_BV.gather(1, tokens_B[:, None])[:, 0].tolist()
        if not all(map(math.isfinite, chosen)):
            raise ValueError("the model's output is not finite; its weights are corrupt or a training diverged")
        self.tokens_sampled += len(jobs)
        for job, token, logprob in zip(jobs, tokens_B.tolist(), chosen, strict=True):
            job.token_ids.append(token)
            job.logprobs.append(logprob)
        _tell([job for job in jobs if job.grown is not None])
        self._retire(first, len(jobs))

    def _retire(self, first: int, count: int) -> None:
        done: list[tuple[_Job, Generation | EngineError]] = []
        for index in range(first + count - 1, first - 1, -1):
            row = self._rows[index]
            assert row is not None and row.job is not None
            job, reason = row.job, _finish_reason(row.job)
            if reason is None and not job.future.cancelled():
                continue
            if reason is not None:
                done.append((job, Generation(job.token_ids, job.logprobs, reason)))
            row.job, row.used = None, self._clock
            self._active -= 1
            self._move(index, self._active)
            if row.released or not row.session:
                self._rows[self._active] = None
        _deliver(done)

    def _fail(self, reason: str, cause: Exception | None) -> None:
        jobs = [row.job for row in self._rows if row is not None and row.job is not None] + self._waiting
        self._waiting, self._active = [], 0
        self._rows = [None] * len(self._rows)
        self._by_session.clear()
        _deliver([(job, _error(reason, cause)) for job in jobs])


def _error(reason: str, cause: Exception | None) -> EngineError:
    """One for each request: an exception raised in many tasks would collect all their tracebacks."""
    error = EngineError(reason)
    error.__cause__ = cause
    return error


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


def _common_prefix(cached: list[int], prompt: Sequence[int]) -> int:
    """How many cached ids the prompt begins with; at least the prompt's last token is computed anew."""
    limit = min(len(cached), len(prompt) - 1)
    if cached[:limit] == list(prompt[:limit]):
        return limit
    return next(i for i in range(limit) if cached[i] != prompt[i])


def _finish_reason(job: _Job) -> Literal["stop", "length"] | None:
    if job.token_ids[-1] in job.stops:
        return "stop"
    return "length" if len(job.token_ids) >= job.request.sampling.max_tokens else None


def _tell(grown: list[_Job]) -> None:
    """Wake those who read along, once a loop. As in `_deliver`, the loop can have closed."""
    by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Event]] = {}
    for job in grown:
        if job.grown is not None:
            by_loop.setdefault(job.loop, []).append(job.grown)
    for loop, events in by_loop.items():
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_set_all, events)


def _set_all(events: list[asyncio.Event]) -> None:
    for event in events:
        event.set()


def _deliver(done: list[tuple[_Job, Generation | EngineError]]) -> None:
    """Hand results over, one wake-up a loop. A loop that has closed meanwhile waits for nothing any more."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Job, Generation | EngineError]]] = {}
    for job, outcome in done:
        by_loop.setdefault(job.loop, []).append((job, outcome))
    for loop, outcomes in by_loop.items():
        # Only that loop may touch its futures; it can close between any check and the call.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle, outcomes)


def _settle(outcomes: list[tuple[_Job, Generation | EngineError]]) -> None:
    for job, outcome in outcomes:
        if job.future.done():
            continue
        if isinstance(outcome, EngineError):
            job.future.set_exception(outcome)
        else:
            job.future.set_result(outcome)
