"""Two processes with the same index open: how long opening took, what each holds alone, what they share."""

from __future__ import annotations

import multiprocessing
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karl.benches.search.rivals import opened

READERS = 2


def readers(folder: Path, queries_QD: NDArray[np.float32]) -> dict[str, Any]:
    """Megabytes: rss (all pages touched), pss (shared ones by their share), uss (alone). before: without an index."""
    context = multiprocessing.get_context("spawn")
    pipes, started = [], []
    for _ in range(READERS):
        here, there = context.Pipe()
        process = context.Process(target=_read, args=(folder, queries_QD, there), daemon=True)
        process.start()
        pipes.append(here)
        started.append(process)
    try:
        return {"readers": READERS, "each": _asked(pipes)}
    finally:
        for process in started:
            process.join(timeout=10)


def _asked(pipes: list[Connection]) -> list[dict[str, Any]]:
    """In step: all have searched before any is measured."""
    opening = [pipe.recv() for pipe in pipes]
    for pipe in pipes:
        pipe.send("measure")
    found = [{**first, "after": pipe.recv()} for first, pipe in zip(opening, pipes, strict=True)]
    for pipe in pipes:
        pipe.send("end")
    return found


def _read(folder: Path, queries_QD: NDArray[np.float32], pipe: Connection) -> None:
    import faiss  # noqa: F401

    before, began = _memory(), time.perf_counter()
    snapshot = opened(folder)
    ready = time.perf_counter() - began
    snapshot.rank_vectors(queries_QD[:1], k=20)
    first = time.perf_counter() - began
    snapshot.rank_vectors(queries_QD, k=20)
    pipe.send({"open_seconds": round(ready, 3), "first_answer_seconds": round(first, 3), "before": before})
    pipe.recv()
    pipe.send(_memory())
    pipe.recv()


def _memory() -> dict[str, float]:
    import psutil

    found = psutil.Process().memory_full_info()
    return {name: round(getattr(found, name) / 1e6, 1) for name in ("rss", "pss", "uss")}
