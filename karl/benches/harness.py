"""What does the harness itself cost? Engine and search answer at once; everything that is left is ours.

One thread works and nothing waits, so processor time is what a machine that does nothing else takes by its clock: the
targets are held against it, and the wall clock stands beside it (`busy`: processor over wall; below 1, neighbours).
Included: opening and extending conversations, encoding tool replies, decoding and parsing turns, plugins, records,
LangGraph. Left out: engine and search (their seconds are taken off), and the store.
Compared in the same run: every node a node of LangGraph, and the same work in a loop written by hand.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from evals.bench_frame import Target, bench_report
from graphs.state import RolloutInputs
from karl.benches.harness_bare import BareLoop
from karl.benches.harness_rig import QUESTION, Rig, Stopwatch, make_rig
from karl.reporting import Reporter
from store.types import Purpose

STEPS = 6
WARM_UP = 2
# The limit; KARL (section 7) reports 4.4 to 4.6 ms of harness before the answer's first token, six steps on.
STEP_MS, ROLLOUT_MS, PEAK_GIB = 1.0, 4.4, 2.0
Run = Callable[[str], Awaitable[Any]]


def harness_bench(
    *, repeats: int, concurrency: int, alone: int, memory_rollouts: int, memory_steps: int, reporter: Reporter
) -> dict[str, Any]:
    """repeats: batches of `concurrency` rollouts of six steps per variant; alone: rollouts one at a time."""
    began = time.perf_counter()
    with reporter.stage("concurrent rollouts", repeats) as progress:
        together = asyncio.run(_together(repeats=repeats, concurrency=concurrency, advance=progress.advance))
    with reporter.stage("one at a time", 1) as progress:
        single = asyncio.run(_alone(count=alone))
    with reporter.stage(f"{memory_rollouts} rollouts of {memory_steps} steps", 1):
        memory = _memory(memory_rollouts, memory_steps)
    figures = {"steps": STEPS, "concurrency": concurrency, "concurrent": together, "alone": single, "memory": memory}
    return bench_report(
        "harness",
        figures=figures,
        compared={
            "node_by_node": f"langgraph {version('langgraph')}, every node a super-step",
            "by_hand": "asyncio, no graph",
        },
        targets=_targets(figures),
        seconds=time.perf_counter() - began,
        seed=0,
    )


def _targets(figures: dict[str, Any]) -> list[Target]:
    together, single, memory = figures["concurrent"]["karl"], figures["alone"]["karl"], figures["memory"]
    return [
        Target("concurrent.karl.step_ms.p50", together["step_ms"]["p50"], "<=", STEP_MS),
        Target("concurrent.karl.rollout_ms.p50", together["rollout_ms"]["p50"], "<=", ROLLOUT_MS),
        Target("alone.karl.rollout_ms.p50", single["rollout_ms"]["p50"], "<=", ROLLOUT_MS),
        Target("memory.peak_rss_gib", memory["peak_rss_gib"], "<=", PEAK_GIB),
    ]


def variants(rig: Rig) -> dict[str, Run]:
    """Three ways to make the same rollout; each takes its key."""
    runner, bare = rig.runner(), BareLoop(rig)
    inputs = RolloutInputs(QUESTION)
    return {
        "karl": lambda key: runner.run(inputs, key=key, purpose=Purpose.TRAIN, seed=1),
        # With a configuration of its own a rollout runs node by node, so that callbacks see every node.
        "node_by_node": lambda key: runner.run(
            inputs, key=key, purpose=Purpose.TRAIN, seed=1, config={"run_name": "bench"}
        ),
        "by_hand": lambda key: bare.run(key=key, seed=1),
    }


async def _together(*, repeats: int, concurrency: int, advance: Callable[[], None]) -> dict[str, Any]:
    """Time per step and rollout while `concurrency` of them are under way, over `repeats` batches of each variant."""
    rig = make_rig(steps=STEPS)
    runs = variants(rig)
    taken: dict[str, list[Stopwatch]] = {name: [] for name in runs}
    for repeat in range(WARM_UP + repeats):
        for name, run in runs.items():
            watch = await _batch(rig, run, concurrency)
            if repeat >= WARM_UP:
                taken[name].append(watch)
        if repeat >= WARM_UP:
            advance()
    return {name: _figures(watches, rollouts=concurrency) for name, watches in taken.items()}


async def _alone(*, count: int) -> dict[str, Any]:
    """The same with nothing else under way; the variants take turns here too.

    `between_requests_ms`: by the wall clock, from the engine's answer to the next request, search taken off.
    """
    rig = make_rig(steps=STEPS, timed=True)
    runs = variants(rig)
    taken: dict[str, list[Stopwatch]] = {name: [] for name in runs}
    between: dict[str, list[float]] = {name: [] for name in runs}
    for repeat in range(WARM_UP + count):
        for name, run in runs.items():
            watch = await _batch(rig, run, 1)
            if repeat >= WARM_UP:
                taken[name].append(watch)
                between[name] += rig.engine.steps_ms
    return {
        name: {**_figures(taken[name], rollouts=1), "between_requests_ms": percentiles(between[name])} for name in runs
    }


async def _batch(rig: Rig, run: Run, concurrency: int) -> Stopwatch:
    """The time of `concurrency` rollouts together, less what engine and searcher took."""
    rig.forget_times()
    with Stopwatch() as whole:
        await asyncio.gather(*(run(str(index)) for index in range(concurrency)))
    return whole.less(rig.engine.watch, rig.searcher.watch)


def _figures(batches: Sequence[Stopwatch], *, rollouts: int) -> dict[str, Any]:
    rollout_ms = [batch.cpu / rollouts * 1e3 for batch in batches]
    wall_ms = [batch.wall / rollouts * 1e3 for batch in batches]
    per_rollout = percentiles(rollout_ms)
    return {
        "rollout_ms": per_rollout,
        "step_ms": percentiles([value / STEPS for value in rollout_ms]),
        "rollouts_per_second": round(1e3 / per_rollout["p50"], 1),
        "wall_rollout_ms": percentiles(wall_ms),
        "busy": round(sum(rollout_ms) / sum(wall_ms), 3),
    }


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """p50, p90 and p99, to a tenth of a microsecond if the values are milliseconds."""
    p50, p90, p99 = np.percentile(np.asarray(values), [50, 90, 99])
    return {"p50": round(float(p50), 4), "p90": round(float(p90), 4), "p99": round(float(p99), 4)}


def _memory(rollouts: int, steps: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "karl.benches.harness_memory", str(rollouts), str(steps)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout)
