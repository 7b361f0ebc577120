"""What training holds of a dataset: `python -m karl.benches.train_memory URL DATASET_ID` prints one JSON object.

In a process of its own, so that the peak is that of this dataset: index, plan and every batch of one epoch, read out of
the store and dropped as a training drops them. No model: what a step itself needs does not depend on the dataset.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click
import psutil

from karl.benches.train_store import Shape, bench_store, frozen_dataset
from store.session import Store

if TYPE_CHECKING:
    from rl_backend.config import TrainConfig

BATCH_ROLLOUTS = 64
GROUP = 8
TOKENS = 2000
POLL_SECONDS = 0.003


def flatness(rollouts: tuple[int, int], *, repeats: int, seed: int) -> dict[str, Any]:
    """Memory for a small and a large dataset, and what each rollout in between costs. Medians of several processes."""
    found = {count: _dataset(count, repeats=repeats, seed=seed) for count in rollouts}
    small, large = rollouts
    grown = found[large]["peak_growth_mib"] - found[small]["peak_growth_mib"]
    return {
        "tokens_per_rollout": TOKENS,
        "stored_bytes_per_rollout": 9 * TOKENS,
        "peak_growth_mib": {str(count): found[count]["peak_growth_mib"] for count in rollouts},
        "epoch_seconds": {str(count): found[count]["seconds"] for count in rollouts},
        "bytes_per_rollout": round(grown * 2**20 / (large - small), 1),
    }


def _dataset(rollouts: int, *, repeats: int, seed: int) -> dict[str, float]:
    shape = Shape(rollouts // GROUP, GROUP, tokens=(TOKENS, TOKENS), turn=64, turn_every=256)
    with bench_store() as store:
        dataset_id = frozen_dataset(store, shape, name="memory", seed=seed)
        runs = [_process(store, dataset_id) for _ in range(repeats)]
    return {key: median(run[key] for run in runs) for key in runs[0]}


def _process(store: Store, dataset_id: int) -> dict[str, float]:
    command = [sys.executable, "-m", "karl.benches.train_memory", str(store.url), str(dataset_id)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


def measure(store: Store, dataset_id: int) -> dict[str, float]:
    """Peak resident memory above what the process had before it opened the dataset, once all imports are done."""
    from rl_backend.config import TrainConfig

    config = TrainConfig(batch_rollouts=BATCH_ROLLOUTS, epochs=1, max_segment_tokens=2 * TOKENS)
    _settle_imports(config)
    began = perf_counter()
    with _resident() as seen:
        steps = _epoch(store, dataset_id, config=config)
    return {
        "steps": steps,
        "peak_growth_mib": round((max(seen) - seen[0]) / 2**20, 2),
        "seconds": round(perf_counter() - began, 2),
    }


@contextmanager
def _resident() -> Iterator[list[int]]:
    """Resident bytes every few milliseconds, the first from before the block. The kernel's own peak counts imports."""
    process, done = psutil.Process(), threading.Event()
    seen = [process.memory_info().rss]

    def look() -> None:
        while not done.wait(POLL_SECONDS):
            seen.append(process.memory_info().rss)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        done.set()
        watcher.join()
        seen.append(process.memory_info().rss)


def _epoch(store: Store, dataset_id: int, *, config: TrainConfig) -> int:
    from rl_backend.index import build_index
    from rl_backend.loader import Loader
    from rl_backend.plan import Plan
    from rl_backend.store_source import StoreSource

    source = StoreSource(store, dataset_id)
    index = build_index(source, config=config)
    loader = Loader(source, index, config=config)
    return sum(batch.token_count > 0 for _, batch in loader.batches(Plan(index.entries, config=config)))


def _settle_imports(config: TrainConfig) -> None:
    """A dataset of one batch first: torch, SQLAlchemy's compiled queries and the like are not the dataset's."""
    with bench_store() as store:
        shape = Shape(BATCH_ROLLOUTS // GROUP, GROUP, tokens=(8, 8), turn=4, turn_every=8)
        _epoch(store, frozen_dataset(store, shape, name="first", seed=0), config=config)


def main() -> None:
    store = Store.open(sys.argv[1])
    click.echo(json.dumps(measure(store, int(sys.argv[2]))))
    store.close()


if __name__ == "__main__":
    main()
