"""`Graph`: a compiled graph bound to a policy and a corpus, called like a function. Made by `karl.load_graph`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from langchain_core.runnables import RunnableConfig

from agents.loop_thread import LoopThread
from graphs.events import Event
from graphs.schema import GraphSpec
from karl.api.answering import GraphParts, OnFailure, check_options
from karl.api.inputs import Inputs
from karl.api.results import Answer, AnswerFailed, Finished
from store.errors import UsageError

T = TypeVar("T")


class Graph:
    """Any number of calls may be under way. A call's own `seed`, `temperature` and `on_failure` win over the graph's.

    Close it (`async with graph`, `with graph`, `aclose()`, `close()`) to give back the model's memory and the store.
    """

    def __init__(self, parts: GraphParts) -> None:
        self._parts = parts
        self._thread: LoopThread | None = None
        self._closed = False

    @property
    def spec(self) -> GraphSpec:
        """The effective graph: extended files, overrides and changes applied. `spec.sha256` is its hash."""
        return self._parts.runner.spec

    @property
    def checkpoint(self) -> Path | None:
        """The folder of the policy; None when a `Policy` was handed in."""
        return self._parts.checkpoint

    def __repr__(self) -> str:
        provenance = self._parts.runner.provenance
        return f"<karl graph {self.spec.name} {self.spec.sha256[:12]}, policy {provenance.model}>"

    def _open_parts(self) -> GraphParts:
        if self._closed:
            raise UsageError(f"graph '{self.spec.name}' is closed; load it again")
        return self._parts

    # -- awaited -----------------------------------------------------------------------------------------------------

    async def ainvoke(
        self,
        inputs: Inputs,
        config: RunnableConfig | None = None,
        *,
        seed: int | None = None,
        temperature: float | None = None,
        on_failure: OnFailure | None = None,
    ) -> Answer:
        """One answer. `inputs`: `{"question": ...}` or the bare question; `config`: LangChain callbacks and tags.

        Raises: AnswerFailed, which carries the result, unless on_failure is "return"; UsageError for wrong inputs
        or options.
        """
        check_options(seed=seed, temperature=temperature, on_failure=on_failure)
        answer = await self._open_parts().answer(inputs, config, seed=seed, temperature=temperature)
        if not answer.ok and (on_failure or self._parts.on_failure) == "raise":
            raise AnswerFailed(answer)
        return answer

    async def abatch(
        self,
        inputs: Sequence[Inputs],
        config: RunnableConfig | None = None,
        *,
        concurrency: int = 8,
        seed: int | None = None,
        temperature: float | None = None,
        on_failure: OnFailure = "return",
    ) -> list[Answer]:
        """Answers in the order of `inputs`, at most `concurrency` under way; item i is sampled with `seed + i`.

        A failed one does not stop the others: look at `answer.ok`. Raises: AnswerFailed with on_failure="raise", when
        the rest has been cancelled; UsageError for wrong inputs.
        """
        if concurrency < 1:
            raise UsageError(f"concurrency: at least 1, got {concurrency}")
        check_options(seed=seed, temperature=temperature, on_failure=on_failure)
        gate, first = asyncio.Semaphore(concurrency), self._parts.seed if seed is None else seed

        async def one(index: int, item: Inputs) -> Answer:
            async with gate:
                return await self.ainvoke(
                    item, config, seed=first + index, temperature=temperature, on_failure=on_failure
                )

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(index, item)) for index, item in enumerate(inputs)]
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return [task.result() for task in tasks]

    async def astream(
        self,
        inputs: Inputs,
        config: RunnableConfig | None = None,
        *,
        tokens: bool = True,
        seed: int | None = None,
        temperature: float | None = None,
    ) -> AsyncGenerator[Event | Finished, None]:
        """What happens, as it happens; the last event is `Finished`. tokens=False: a turn's text comes in one piece.

        Leaving the loop early, or cancelling the task that reads, cancels the rollout and stores nothing of it.
        A failed rollout does not raise here: `Failed` says so. Raises: UsageError for wrong inputs.
        """
        check_options(seed=seed, temperature=temperature, on_failure=None)
        heard: asyncio.Queue[Event | None] = asyncio.Queue()
        work = asyncio.create_task(
            self._open_parts().answer(
                inputs, config, seed=seed, temperature=temperature, emit=heard.put_nowait, streams=tokens
            )
        )
        work.add_done_callback(lambda _: heard.put_nowait(None))
        try:
            while (event := await heard.get()) is not None:
                yield event
            answer = work.result()
            yield Finished(answer.trace_id, answer)
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def aclose(self) -> None:
        """Safe to call twice; a closed graph refuses further calls."""
        if not self._closed:
            self._closed = True
            await self._parts.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    # -- waited for --------------------------------------------------------------------------------------------------

    def invoke(self, inputs: Inputs, config: RunnableConfig | None = None, **options: Any) -> Answer:
        """`ainvoke` for scripts and notebooks: it runs in a loop of the graph's own thread, the caller waits."""
        return self._wait(self.ainvoke(inputs, config, **options))

    def batch(self, inputs: Sequence[Inputs], config: RunnableConfig | None = None, **options: Any) -> list[Answer]:
        """`abatch`, waited for."""
        return self._wait(self.abatch(inputs, config, **options))

    def stream(
        self, inputs: Inputs, config: RunnableConfig | None = None, **options: Any
    ) -> Iterator[Event | Finished]:
        """`astream`, waited for."""
        return self._looped().iterate(self.astream(inputs, config, **options))

    def close(self) -> None:
        """`aclose`, waited for."""
        if not self._closed:
            self._wait(self.aclose())
        if self._thread is not None:
            self._thread.close()
            self._thread = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return self._looped().run(work)

    def _looped(self) -> LoopThread:
        self._thread = self._thread or LoopThread(f"karl-{self.spec.name}")
        return self._thread
