"""The processes that train together: who am I, wait for all, tell all, hear all. Alone, all of it is free."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch._C._distributed_c10d import HashStore

from rl_backend.checkpoint import aside_of, atomic_folder, write_errors

T = TypeVar("T")

# Ranks wait while rank 0 evaluates or writes; one that died is noticed by whoever launched it, not by this.
PATIENCE = timedelta(days=7)


def join() -> None:
    """Enter the process group that RANK and WORLD_SIZE of the environment name, unless this process is in one."""
    if dist.is_initialized():
        return
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    if int(os.environ["WORLD_SIZE"]) == 1:
        dist.init_process_group(backend, store=HashStore(), rank=0, world_size=1)
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group(backend, timeout=PATIENCE)


def leave() -> None:
    """Leave the process group when all ranks are here: the last thing that they do together."""
    barrier()
    if dist.is_initialized():
        dist.destroy_process_group()


def world() -> int:
    """How many processes train; 1 before verl has started and outside torchrun and Ray."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def barrier() -> None:
    if world() > 1:
        dist.barrier()


def from_first(value: T) -> T:
    """Rank 0's value, on every rank: what only one process decides or measures."""
    if world() == 1:
        return value
    held: list[Any] = [value]
    dist.broadcast_object_list(held, src=0)
    return cast(T, held[0])


def from_all(value: T) -> list[T]:
    """Every rank's value in the order of ranks, on every rank."""
    if world() == 1:
        return [value]
    held: list[Any] = [None] * world()
    dist.all_gather_object(held, value)
    return held


@contextmanager
def shared_folder(path: Path) -> Iterator[Path]:
    """`atomic_folder` for a folder that all ranks write into; it appears when the last has written."""
    if rank() > 0:
        barrier()
        with write_errors(path):
            yield aside_of(path)
        barrier()
    else:
        with atomic_folder(path) as aside:
            barrier()
            yield aside
            barrier()
    barrier()
