"""What does the harness itself cost? Engine and search answer at once; everything that is left is ours.

One thread works and nothing waits, so processor time is what a machine that does nothing else takes by its clock. The
targets are held against both clocks. On a machine with neighbours the wall clock counts them too (`busy` below 1).
Included: opening and extending conversations, encoding tool replies, decoding and parsing turns, the solver's plugins,
records, LangGraph. Left out: engine and search (their seconds are taken off), and the store.
Size matters: `size` tells it, `encode_cpu_ms_per_rollout` what of a rollout is the tokenizer's, and `full_size` is the
solver with its full prompt and 20 passages of 1,500 characters at every search.
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
from typing import Any, Protocol

from evals.bench_frame import bench_report
from graphs.state import RolloutInputs
from karl.benches.harness_bare import BareLoop
from karl.benches.harness_figures import MEANING, Batch, batch_figures, single_figures, targets
from karl.benches.harness_rig import QUESTION, Rig, Stopwatch, make_rig
from karl.benches.harness_size import FULL, TINY, Size
from karl.reporting import Reporter
from store.types import Failure, Purpose, SegmentRecord, StepRecord

STEPS = 6
WARM_UP = 2


class Made(Protocol):
    """What a variant leaves."""

    @property
    def steps(self) -> Sequence[StepRecord]: ...
    @property
    def segments(self) -> Sequence[SegmentRecord]: ...
    @property
    def failure(self) -> Failure | None: ...


Run = Callable[[str], Awaitable[Made]]


def harness_bench(
    *,
    repeats: int,
    concurrency: int,
    alone: int,
    full_size: int,
    memory_rollouts: int,
    memory_steps: int,
    reporter: Reporter,
) -> dict[str, Any]:
    """repeats: batches of `concurrency` rollouts of six steps per variant; alone, full_size: rollouts one at a time.

    Raises: RuntimeError for a rollout that failed or stopped short: its time would be that of other work.
    """
    began = time.perf_counter()
    with reporter.stage("concurrent rollouts", repeats) as progress:
        together = asyncio.run(_together(repeats=repeats, concurrency=concurrency, advance=progress.advance))
    with reporter.stage("one at a time", 1):
        single = asyncio.run(_alone(TINY, count=alone))
    with reporter.stage("full size", 1):
        full = asyncio.run(_alone(FULL, count=full_size))
    with reporter.stage(f"{memory_rollouts} rollouts of {memory_steps} steps", 1):
        memory = _memory(memory_rollouts, memory_steps)
    figures = {
        "steps": STEPS,
        "concurrency": concurrency,
        "size": {name: asyncio.run(_size(size)) for name, size in (("embedded", TINY), ("full", FULL))},
        "concurrent": together,
        "alone": single,
        "full_size": full,
        "memory": memory,
        "meaning": MEANING,
    }
    return bench_report(
        "harness",
        figures=figures,
        compared={
            "node_by_node": f"langgraph {version('langgraph')}, every node a super-step",
            "by_hand": "asyncio, no graph, no plugins",
        },
        targets=targets(figures),
        seconds=time.perf_counter() - began,
        seed=0,
    )


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
    taken: dict[str, list[Batch]] = {name: [] for name in runs}
    for repeat in range(WARM_UP + repeats):
        for name, run in runs.items():
            batch = await _batch(rig, run, concurrency)
            if repeat >= WARM_UP:
                taken[name].append(batch)
        if repeat >= WARM_UP:
            advance()
    return {name: batch_figures(batches, rollouts=concurrency, steps=STEPS) for name, batches in taken.items()}


async def _alone(size: Size, *, count: int) -> dict[str, Any]:
    """The same with nothing else under way; the variants take turns here too.

    `between_requests_ms`: by the wall clock, from the engine's answer to the next request, search taken off.
    """
    rig = make_rig(steps=STEPS, size=size, timed=True)
    runs = variants(rig)
    taken: dict[str, list[Batch]] = {name: [] for name in runs}
    between: dict[str, list[float]] = {name: [] for name in runs}
    for repeat in range(WARM_UP + count):
        for name, run in runs.items():
            batch = await _batch(rig, run, 1)
            if repeat >= WARM_UP:
                taken[name].append(batch)
                between[name] += rig.engine.steps_ms
    return {name: single_figures(taken[name], between_requests_ms=between[name]) for name in runs}


async def _size(size: Size) -> dict[str, float]:
    """How much one rollout reads: the harness's work grows with it."""
    rig = make_rig(steps=STEPS, size=size)
    made = await variants(rig)["karl"]("size")
    check_made([made], steps=STEPS)
    hits = rig.searcher.hits
    return {
        "hits_per_search": len(hits),
        "mean_hit_chars": round(sum(len(hit.text) for hit in hits) / len(hits), 1),
        "first_prompt_tokens": made.steps[0].prompt_tokens,
        "last_prompt_tokens": made.steps[-1].prompt_tokens,
        "rollout_tokens": sum(len(segment.token_ids) for segment in made.segments),
    }


async def _batch(rig: Rig, run: Run, concurrency: int) -> Batch:
    """The time of `concurrency` rollouts together, less what engine and searcher took. Raises: as `check_made`."""
    rig.forget_times()
    with Stopwatch() as whole:
        made = await asyncio.gather(*(run(str(index)) for index in range(concurrency)))
    check_made(made, steps=rig.engine.steps)
    return Batch(whole.less(rig.engine.watch, rig.searcher.watch), rig.policy.template.watch)


def check_made(made: Sequence[Made], *, steps: int) -> None:
    """Raises: RuntimeError for a rollout that failed or is not of `steps` steps: a runner records it, and goes on."""
    for rollout in made:
        if rollout.failure is not None:
            raise RuntimeError(f"a rollout of the bench failed: {rollout.failure.reason}")
        if len(rollout.steps) != steps:
            raise RuntimeError(f"a rollout of the bench took {len(rollout.steps)} steps and not {steps}")


def _memory(rollouts: int, steps: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "karl.benches.harness_memory", str(rollouts), str(steps)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout)
