"""What the harness bench says of its batches: figures whose names tell the clock and the unit, and the targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from evals.bench_frame import Target
from karl.benches.harness_rig import Stopwatch

# The limit; KARL (section 7) reports 4.4 to 4.6 ms of harness before the answer's first token, six steps on.
STEP_MS, ROLLOUT_MS, PEAK_GIB = 1.0, 4.4, 2.0
MEANING = {
    "cpu_ms": "processor time of the process, less engine and searcher",
    "wall_ms": "by the clock, less engine and searcher; in a batch: the batch's time over its rollouts or steps",
    "concurrent": "p50, min and max of batch means: no tails of single rollouts or steps",
    "alone, full_size": "percentiles of single rollouts; between_requests_ms of single steps",
    "encode_cpu_ms_per_rollout": "part of cpu_ms_per_rollout: contents to token ids, in the tokenizer",
    "rollouts_per_wall_second": "all rollouts over the wall time of all batches, less engine and searcher",
    "busy": "processor over wall time; below 1, neighbours",
    "size": "of one rollout's prompts, in tokens of the embedded policy's tokenizer",
}


class Batch(NamedTuple):
    """took: all rollouts of the batch, less engine and searcher; encode: the tokenizer's part of it."""

    took: Stopwatch
    encode: Stopwatch


def batch_figures(batches: Sequence[Batch], *, rollouts: int, steps: int) -> dict[str, Any]:
    """Of batches of `rollouts` rollouts of `steps` steps: every value a batch's mean, so no tails are told."""
    figures = _figures(batches, rollouts=rollouts, over=spread)
    for clock in ("cpu", "wall"):
        figures[f"{clock}_ms_per_step"] = spread(_ms(batches, clock, rollouts * steps))
    return figures


def single_figures(batches: Sequence[Batch], *, between_requests_ms: Sequence[float]) -> dict[str, Any]:
    """Of rollouts made one at a time; between_requests_ms: of their single steps."""
    figures = _figures(batches, rollouts=1, over=percentiles)
    return {**figures, "between_requests_ms": percentiles(between_requests_ms)}


def _figures(
    batches: Sequence[Batch], *, rollouts: int, over: Callable[[Sequence[float]], dict[str, float]]
) -> dict[str, Any]:
    cpu, wall = (sum(getattr(batch.took, clock) for batch in batches) for clock in ("cpu", "wall"))
    return {
        "cpu_ms_per_rollout": over(_ms(batches, "cpu", rollouts)),
        "wall_ms_per_rollout": over(_ms(batches, "wall", rollouts)),
        "encode_cpu_ms_per_rollout": over([batch.encode.cpu / rollouts * 1e3 for batch in batches]),
        "rollouts_per_wall_second": round(rollouts * len(batches) / wall, 1),
        "busy": round(cpu / wall, 3),
    }


def _ms(batches: Sequence[Batch], clock: str, parts: int) -> list[float]:
    return [getattr(batch.took, clock) / parts * 1e3 for batch in batches]


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """p50, p90 and p99, to a tenth of a microsecond if the values are milliseconds."""
    p50, p90, p99 = np.percentile(np.asarray(values), [50, 90, 99])
    return {"p50": round(float(p50), 4), "p90": round(float(p90), 4), "p99": round(float(p99), 4)}


def spread(values: Sequence[float]) -> dict[str, float]:
    """p50, min and max: all that a few batch means can tell."""
    return {
        "p50": round(float(np.median(np.asarray(values))), 4),
        "min": round(min(values), 4),
        "max": round(max(values), 4),
    }


def targets(figures: Mapping[str, Any]) -> list[Target]:
    """At once and alone with the embedded policy's prompts; at full size the tokenizer's work has no target."""
    together, single, memory = figures["concurrent"]["karl"], figures["alone"]["karl"], figures["memory"]
    limits = {"step": STEP_MS, "rollout": ROLLOUT_MS}
    names = [(f"{clock}_ms_per_{part}", limits[part]) for part in ("step", "rollout") for clock in ("cpu", "wall")]
    return [
        *(Target(f"concurrent.karl.{name}.p50", together[name]["p50"], "<=", limit) for name, limit in names),
        Target("alone.karl.cpu_ms_per_rollout.p50", single["cpu_ms_per_rollout"]["p50"], "<=", ROLLOUT_MS),
        Target("memory.peak_rss_gib", memory["peak_rss_gib"], "<=", PEAK_GIB),
    ]
