"""Two clocks around optimiser steps, and several trainers taking turns on the same batches."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from time import perf_counter, process_time
from typing import NamedTuple

import torch

from rl_backend.batch import Batch

TrainStep = Callable[[Batch], dict[str, float]]


class Seconds(NamedTuple):
    """By the wall clock, and of the processor: all threads of this process, nothing of its neighbours."""

    wall: float
    cpu: float


class Turn(NamedTuple):
    """One batch: how long reading it took, and how long each trainer needed for its step."""

    tokens: int
    reading: Seconds
    steps: dict[str, Seconds]


def timed(work: Callable[[], object]) -> Seconds:
    """Includes what the device still had to do when `work` returned."""
    wall, cpu = perf_counter(), process_time()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return Seconds(perf_counter() - wall, process_time() - cpu)


def take_turns(
    trainers: Mapping[str, TrainStep], batches: Iterable[Batch], *, warm_up: int, turns: int
) -> Sequence[Turn]:
    """A B C, B C A, C A B ...: every trainer sees every batch, and none always goes first. Warm-up is left out.

    Raises: ValueError when there are too few batches.
    """
    found, upcoming = list[Turn](), iter(batches)
    for number in range(warm_up + turns):
        got: list[Batch] = []
        reading = timed(lambda got=got: got.extend(_next(upcoming)))
        if not got:
            raise ValueError(f"{warm_up + turns} batches are needed, there are {number}")
        names = list(trainers)
        names = names[number % len(names) :] + names[: number % len(names)]
        steps = {name: timed(lambda name=name, batch=got[0]: trainers[name](batch)) for name in names}
        found.append(Turn(got[0].token_count, reading, steps))
    return found[warm_up:]


@contextlib.contextmanager
def threads(count: int | None) -> Iterator[int]:
    """torch computes with so many threads inside the block (None: as before); gives the number."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


def _next(batches: Iterator[Batch]) -> list[Batch]:
    batch = next(batches, None)
    return [] if batch is None else [batch]
