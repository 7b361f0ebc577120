"""Work on many items by several threads, for functions that hold no lock while they work."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")

MOST_THREADS = 8
ENOUGH = 8  # items for a thread: fewer take less time than handing them over


def spread(work: Callable[[Sequence[Given]], list[Made]], items: Sequence[Given]) -> list[Made]:
    """work of parts of the items, one after another. Raises what work raises."""
    shares = max(1, min(_cores(), MOST_THREADS, len(items) // ENOUGH))
    bounds = [len(items) * n // shares for n in range(shares + 1)]
    first, *others = [items[start:end] for start, end in pairwise(bounds)]
    waiting = [_pool(os.getpid()).submit(work, share) for share in others]
    made = work(first)
    for future in waiting:
        made += future.result()
    return made


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _pool(_process: int) -> ThreadPoolExecutor:
    """Of this process: a fork does not take the threads along."""
    return ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="karl-rank")
