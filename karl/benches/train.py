"""Is training exact, is it fast, does its memory stay flat? verl as we set it up, held against the equations in
float64 and against a plain PyTorch loop.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from evals.bench_frame import Target, bench_report
from karl.benches.train_cuda import cuda_utilisation
from karl.benches.train_exact import SEGMENT_LOSSES, exactness
from karl.benches.train_memory import flatness
from karl.benches.train_speed import CLOCKS, MEANING, Case, speed
from karl.reporting import Reporter

# The project's own aims: float32 against float64; verl against a loop without it.
RELATIVE_ERROR, RATIO = 1e-6, 0.9
# Beside 18,000 bytes of tokens, masks and log-probs: what index and plan keep of each rollout.
BYTES_PER_ROLLOUT = 1024
# More is worth a thread that reads ahead.
READING_SHARE = 0.02


def train_bench(
    cases: Sequence[Case],
    *,
    turns: int,
    threads: int | None,
    memory_rollouts: tuple[int, int],
    seed: int,
    reporter: Reporter,
) -> dict[str, Any]:
    """turns: timed steps of each trainer and case; memory_rollouts: sizes of the small and the large dataset."""
    began = time.perf_counter()
    with reporter.stage("exactness", 1):
        exact = exactness(seed=seed)
    speeds: dict[str, Any] = {}
    for case in cases:
        with reporter.stage(f"speed, {case.name}", 1):
            speeds[case.name] = speed(case, turns=turns, threads=threads, seed=seed)
    with reporter.stage(f"memory of {memory_rollouts[1]} rollouts", 1):
        memory = flatness(memory_rollouts, repeats=3, seed=seed)
    with reporter.stage("utilisation on CUDA", 1):
        cuda = cuda_utilisation(seed=seed)
    figures = {"exactness": exact, "speed": speeds, "memory": memory, "cuda": cuda, "meaning": MEANING}
    return bench_report(
        "train",
        figures=figures,
        compared={"bare loop": f"torch {version('torch')}, transformers {version('transformers')}, no verl"},
        targets=targets(figures),
        seconds=time.perf_counter() - began,
        seed=seed,
    )


def targets(figures: Mapping[str, Any]) -> list[Target]:
    """Speed by both clocks and against the faster bare loop."""
    found = [
        Target(f"exactness.{loss}.{error}", figures["exactness"][loss][error], "<=", RELATIVE_ERROR)
        for loss in SEGMENT_LOSSES
        for error in ("equations_relative_error", "whole_relative_error")
    ]
    for name, case in figures["speed"].items():
        ratio, reading = case["ratio"]["to_the_faster"], case["reading_share"]
        found += [Target(f"speed.{name}.ratio.to_the_faster.{clock}", ratio[clock], ">=", RATIO) for clock in CLOCKS]
        found.append(Target(f"speed.{name}.reading_share.wall", reading["wall"], "<=", READING_SHARE))
        micro = case["micro_batches"]
        found.append(Target(f"speed.{name}.micro_batches.most_tokens", micro["most_tokens"], "<=", micro["cap"]))
    memory = figures["memory"]["bytes_per_rollout"]
    return [*found, Target("memory.bytes_per_rollout", memory, "<=", BYTES_PER_ROLLOUT)]
