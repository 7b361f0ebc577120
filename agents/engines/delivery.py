"""Hands what another thread has made to the event loops that wait for it: one wake-up a loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeVar

from agents.engines.base import Generation
from agents.errors import EngineError

Item = TypeVar("Item")
Answer = Generation | EngineError


def hand_over(items: Iterable[tuple[asyncio.AbstractEventLoop, Item]], take: Callable[[list[Item]], None]) -> None:
    """Call `take` in each loop with its items. A loop that has closed meanwhile waits for nothing any more."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Item]] = {}
    for loop, item in items:
        by_loop.setdefault(loop, []).append(item)
    for loop, found in by_loop.items():
        # Only that loop may touch its futures and events; it can close between any check and the call.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(take, found)


def settle(answers: Iterable[tuple[asyncio.Future[Generation], Answer]]) -> None:
    """In the loop of the futures. Those that are done, because nobody waits any more, stay as they are."""
    for future, answer in answers:
        if future.done():
            continue
        if isinstance(answer, EngineError):
            future.set_exception(answer)
        else:
            future.set_result(answer)
