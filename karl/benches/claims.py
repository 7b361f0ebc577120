"""The paper's claims at this scale, each apart. One that does not hold is reported so, with its figures.

(a) max@k rises at every k; (b) two tasks beat each specialist elsewhere; (c) trained compression beats none and an
untrained one; (d) stale data still improves. A claim holds where the lower end of its interval over the questions of
all seeds is above 0, and so is the difference of every seed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from evals.bench_frame import Target, bench_report
from karl.benches.claims_compression import claim_compression
from karl.benches.claims_rig import Claimed, ClaimOptions
from karl.benches.claims_stale import claim_stale
from karl.benches.claims_tasks import claim_tasks
from karl.benches.learning import LearningOptions, learning_bench
from karl.reporting import Reporter
from karl.settings import Settings
from store.types import Algorithm


def claims_bench(
    only: Sequence[str], options: ClaimOptions, *, settings: Settings, reporter: Reporter
) -> dict[str, Any]:
    """Raises: KarlError when it was stopped; the same command goes on where it was."""
    began = time.perf_counter()
    found = {name: CLAIMS[name](options, settings=settings, reporter=reporter) for name in only}
    targets = [
        Target(f"({name}) {what}", round(value, 4), ">", 0.0)
        for name, claimed in found.items()
        for what, value in claimed.above_zero.items()
    ]
    return bench_report(
        "claims",
        figures={"settings": asdict(options)} | {name: claimed.figures for name, claimed in found.items()},
        compared={"base": "the shipped policy"},
        targets=targets,
        seconds=time.perf_counter() - began,
        seed=options.seeds[0],
    )


def claim_rises(options: ClaimOptions, *, settings: Settings, reporter: Reporter) -> Claimed:
    """(a), out of the learning bench: what that has made already is not made again."""
    learning = LearningOptions(
        seeds=options.seeds, iterations=options.iterations, algorithms=(Algorithm.OAPL,), overrides=options.overrides
    )
    report = learning_bench(learning, settings=settings, reporter=reporter)
    arms = report["figures"]["arms"]
    return Claimed(
        {"arms": arms, "pairs": report["figures"]["pairs"], "collapsed": report["figures"]["collapsed"]},
        {target["key"]: target["value"] for target in report["targets"]},
    )


Claim = Callable[..., Claimed]
CLAIMS: dict[str, Claim] = {"a": claim_rises, "b": claim_tasks, "c": claim_compression, "d": claim_stale}
