"""An event loop in a thread of its own, for callers that have none to wait in, or one that they must not block."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import aclosing
from functools import lru_cache
from typing import Any, TypeVar

T = TypeVar("T")


class LoopThread:
    """Runs coroutines to their end while the calling thread waits: in scripts, and in notebooks, whose loop is busy.

    A daemon: a script that forgets to close its graph still ends.
    """

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` returns or raises. An interrupt of the caller (Ctrl-C) cancels it and waits for its end."""
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("called from the very loop that would work for it; await the async method")
        ended: Future[None] = Future()
        tasks: list[asyncio.Task[T]] = []

        def start() -> None:
            tasks.append(self._loop.create_task(work))
            tasks[0].add_done_callback(lambda _: ended.set_result(None))

        def stop() -> None:
            if tasks:
                tasks[0].cancel()
            else:
                work.close()
                ended.set_result(None)

        try:
            self._loop.call_soon_threadsafe(start)
            ended.result()
        except BaseException:
            # Calls keep their order: what was to be started has been. Left unwinding, it would lose what it works on.
            # An interrupt can come anywhere in the block above, before the start is on the loop's list as well.
            self._loop.call_soon_threadsafe(stop)
            ended.result()
            raise
        return tasks[0].result()

    async def hop(self, work: Coroutine[Any, Any, T]) -> T:
        """`work` in the thread's loop, awaited in the caller's own."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def iterate(self, source: AsyncGenerator[T, None]) -> Iterator[T]:
        """The items of `source`, which is closed when the iteration ends early."""
        items = _in_one_task(source)
        try:
            while True:
                try:
                    yield self.run(_next(items))
                except StopAsyncIteration:
                    return
        finally:
            self.run(items.aclose())

    def close(self) -> None:
        self.run(self._loop.shutdown_asyncgens())
        self.run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def waiting_loop() -> LoopThread:
    """The one that all synchronous calls of models and tools share: an engine keeps its connections in one loop."""
    return _loop_of(os.getpid())


@lru_cache(maxsize=1)
def _loop_of(process: int) -> LoopThread:
    # By process: a fork has the object and not the thread.
    return LoopThread(f"karl-waits-{process}")


async def _in_one_task(source: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """The items of `source`, whichever task asks for the next: a timeout inside it must end in the task it began in."""
    items: asyncio.Queue[tuple[T] | None] = asyncio.Queue()

    async def read() -> None:
        async with aclosing(source):
            async for item in source:
                items.put_nowait((item,))

    work = asyncio.create_task(read())
    work.add_done_callback(lambda _: items.put_nowait(None))
    try:
        while (item := await items.get()) is not None:
            yield item[0]
        work.result()
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def _next(source: AsyncGenerator[T, None]) -> T:
    return await anext(source)
