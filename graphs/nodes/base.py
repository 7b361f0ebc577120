"""What a node is: an async function of the state that returns a partial update; and how nodes wait for many."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from graphs.state import GraphState

Update = dict[str, Any]
Node = Callable[[GraphState], Awaitable[Update]]


async def gather_all(awaitables: Sequence[Awaitable[Any]]) -> list[Any]:
    """Like gather, but the first failure cancels the rest before it is raised: nothing is left running."""
    tasks = [asyncio.ensure_future(item) for item in awaitables]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
