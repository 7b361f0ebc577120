"""What rollouts under way weigh: `python -m karl.benches.harness_memory ROLLOUTS STEPS` prints one JSON object.

In a process of its own, so that the peak is that of these rollouts and of nothing measured before.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import sys
from typing import Any

import click
import psutil

from graphs.runner import GraphRunner
from graphs.state import RolloutInputs
from karl.benches.harness_rig import QUESTION, Stopwatch, make_rig
from store.types import Purpose

# Linux counts in KiB, macOS in bytes.
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


async def measure(*, rollouts: int, steps: int) -> dict[str, Any]:
    """All rollouts are under way at once: first all of them waiting for their first token, then step by step."""
    rig = make_rig(steps=steps, yields=True)
    runner = rig.runner()
    before = await _settled(0)
    rig.engine.gate = asyncio.Event()
    tasks = [asyncio.create_task(_rollout(runner, index)) for index in range(rollouts)]
    idle = await _settled(3 * len(rig.spec.nodes))
    rig.engine.gate.set()
    with Stopwatch() as watch:
        tokens = await asyncio.gather(*tasks)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT
    return {
        "rollouts": rollouts,
        "steps": steps,
        "tokens_per_rollout": round(sum(tokens) / rollouts, 1),
        "start_rss_mib": round(before / 2**20, 1),
        "idle_kib_per_rollout": round((idle - before) / rollouts / 1024, 2),
        "peak_rss_gib": round(peak / 2**30, 3),
        "wall_seconds": round(watch.wall, 2),
        "cpu_ms_per_step": round(watch.cpu / (rollouts * steps) * 1e3, 4),
    }


async def _rollout(runner: GraphRunner, index: int) -> int:
    """Its number of tokens; the record itself is dropped, as after it was stored."""
    record = await runner.run(RolloutInputs(QUESTION), key=str(index), purpose=Purpose.TRAIN, seed=index)
    if record.failure is not None:
        raise RuntimeError(f"rollout {index}: {record.failure.reason}")
    return sum(len(segment.token_ids) for segment in record.segments)


async def _settled(ticks: int) -> int:
    """Resident bytes once every task has run as far as it can."""
    for _ in range(ticks):
        await asyncio.sleep(0)
    gc.collect()
    return psutil.Process().memory_info().rss


def main() -> None:
    rollouts, steps = map(int, sys.argv[1:3])
    click.echo(json.dumps(asyncio.run(measure(rollouts=rollouts, steps=steps))))


if __name__ == "__main__":
    main()
