"""A trained value model as a `ValueFunction`: one thread scores whatever has been asked meanwhile, in one pass."""

from __future__ import annotations

import asyncio
import math
import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoModelForTokenClassification, PreTrainedModel

from agents.engines.base import Generation
from agents.engines.local.check import HALF_TOLERANCE, TOLERANCE, probe_ids, sliding_window
from agents.engines.local.loading import no_bars
from agents.engines.local.value_rows import Asked, ValueRows
from agents.errors import EngineError
from store.errors import UsageError
from store.value_record import ValueRecord, read_value_record

DIGITS = 5  # what else is in the batch moves the seventh; rounding hides that, but for values on an edge
PADDED_TOKENS = 8192  # new tokens of one forward pass, about


def load_value(
    folder: Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32, max_rows: int = 384
) -> ValueModel:
    """The value model that `karl value train` wrote. Raises: UsageError for a folder that is none or can't be read."""
    record = read_value_record(folder)
    try:
        with no_bars():
            model = AutoModelForTokenClassification.from_pretrained(folder, dtype=dtype, local_files_only=True)
    except Exception as exc:
        raise UsageError(f"{folder}: no readable model folder ({type(exc).__name__}: {exc})") from exc
    return ValueModel(model.eval().to(device), record, max_rows=max_rows)


@dataclass(eq=False, slots=True)
class _Job:
    asked: Asked
    future: asyncio.Future[list[float]]
    loop: asyncio.AbstractEventLoop


class ValueModel:
    """Values in [0, 1], calibrated as the record says and rounded; candidates that round alike are equally good.

    max_rows: rollouts whose prefixes are kept, fewer where so many long ones would not fit into `cache_gib`.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        record: ValueRecord,
        *,
        max_rows: int = 384,
        capacity: int = 256,
        cache_gib: float = 1.0,
    ) -> None:
        """Raises: UsageError for an architecture that would be computed wrongly."""
        self.record = record
        self._vocabulary = int(model.get_input_embeddings().weight.shape[0])  # pyright: ignore
        expected_T = _plain(model, self._vocabulary, name=record.name)
        self.rows = ValueRows(model, max_rows=max_rows, capacity=capacity, cache_gib=cache_gib)
        _check(self.rows, expected_T, vocabulary=self._vocabulary, name=record.name, dtype=model.dtype)
        self._inbox: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._gate = threading.Lock()  # nothing may enter the inbox behind the closing mark
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=f"value-{record.name}", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        return self.record.label

    async def score(self, prefix_ids: Sequence[int], candidates_K: Sequence[Generation]) -> list[float]:
        """One value a candidate: behind its last token; behind the prefix where it has none. Raises: EngineError."""
        if not candidates_K:
            return []
        asked = Asked(tuple(prefix_ids), tuple(tuple(candidate.token_ids) for candidate in candidates_K))
        self._check(asked)
        loop = asyncio.get_running_loop()
        job = _Job(asked, loop.create_future(), loop)
        with self._gate:
            if self._closed:
                raise EngineError("value model: closed")
            self._inbox.put(job)
        return [self._probability(logit) for logit in await job.future]

    async def aclose(self) -> None:
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """Fail what is under way, and wait for the thread to end. Again is harmless."""
        with self._gate:
            if not self._closed:
                self._closed = True
                self._inbox.put(None)
        self._thread.join()

    def _probability(self, logit: float) -> float:
        scaled = self.record.scale * logit + self.record.bias
        # Of the two forms of the logistic function the one whose exponential can't overflow.
        value = 1 / (1 + math.exp(-scaled)) if scaled >= 0 else math.exp(scaled) / (1 + math.exp(scaled))
        return round(value, DIGITS)

    def _check(self, asked: Asked) -> None:
        if not asked.prefix_ids:
            raise EngineError("value model: an empty prefix")
        ids = [*asked.prefix_ids, *(id_ for candidate in asked.candidates_K for id_ in candidate)]
        if min(ids) < 0 or max(ids) >= self._vocabulary:
            raise EngineError(
                f"value model {self.name}: token ids outside of its vocabulary of {self._vocabulary}; "
                "it must share the policy's tokenizer"
            )

    def _work(self) -> None:
        while (arrived := self._receive()) is not None:
            for jobs in self._batches(arrived):
                try:
                    logits = self.rows.logits([job.asked for job in jobs])
                    if not all(math.isfinite(value) for values in logits for value in values):
                        raise ValueError("the model's output is not finite; its weights are corrupt")
                    _deliver(jobs, logits)
                except Exception as exc:
                    self.rows.forget()
                    _deliver(jobs, [EngineError(f"value model: {type(exc).__name__}: {exc}") for _ in jobs])

    def _receive(self) -> list[_Job] | None:
        """All that has been asked by now, at least one; None: close."""
        jobs: list[_Job] = []
        while True:
            try:
                job = self._inbox.get(block=not jobs)
            except queue.Empty:
                return jobs
            if job is None:
                _deliver(jobs, [EngineError("value model: closed while a request was waiting") for _ in jobs])
                return None
            jobs.append(job)

    def _batches(self, jobs: Sequence[_Job]) -> Iterator[list[_Job]]:
        """Jobs of like size together, so that little is padding."""
        sized = sorted(((self.rows.new_tokens(job.asked), job) for job in jobs), key=lambda pair: -pair[0])
        batch: list[_Job] = []
        widest = 0
        for size, job in sized:
            if batch and (len(batch) == self.rows.count or (len(batch) + 1) * widest > PADDED_TOKENS):
                yield batch
                batch = []
            widest = widest if batch else size
            batch.append(job)
        yield batch


def _deliver(jobs: Sequence[_Job], outcomes: Sequence[list[float] | EngineError]) -> None:
    """Each in the loop that it came from, which can have closed meanwhile: then nobody waits."""
    for job, outcome in zip(jobs, outcomes, strict=True):
        with suppress(RuntimeError):
            job.loop.call_soon_threadsafe(_settle, job.future, outcome)


def _settle(future: asyncio.Future[list[float]], outcome: list[float] | EngineError) -> None:
    if future.done():
        return
    if isinstance(outcome, EngineError):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


def _plain(model: PreTrainedModel, vocabulary: int, *, name: str) -> list[float]:
    """V of a few tokens by the model's own forward pass. Raises: UsageError."""
    window = sliding_window(model.config)
    if window is not None:
        raise UsageError(f"{name}: attends to a sliding window ({window}); such a value model can't be served")
    ids_1T = probe_ids(vocabulary)[None].to(model.device)
    with torch.inference_mode():
        values_T = model(input_ids=ids_1T).logits[0, :, 0].float()
    if not bool(values_T.isfinite().all()):
        raise UsageError(f"{name}: the model's output is not finite; its weights are corrupt or a training diverged")
    return values_T.tolist()


def _check(rows: ValueRows, expected_T: Sequence[float], *, vocabulary: int, name: str, dtype: torch.dtype) -> None:
    """Two candidates behind a cached prefix must score as the plain pass does. Raises: UsageError."""
    ids = probe_ids(vocabulary).tolist()
    try:
        rows.logits([Asked(tuple(ids[:3]), ((ids[0],),))])
        found = rows.logits([Asked(tuple(ids[:5]), ((ids[0], ids[1]), tuple(ids[5:])))])[0][1]
    except Exception as exc:
        raise UsageError(f"{name}: can't be served as a value model ({type(exc).__name__}: {exc})") from exc
    gap = abs(found - expected_T[-1])
    if not gap < max(TOLERANCE.get(dtype, HALF_TOLERANCE), 1e-4 * abs(expected_T[-1])):
        raise UsageError(f"{name}: served values differ by {gap:.2g} from the model's own")
    rows.forget()
