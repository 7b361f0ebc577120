"""What the demo shows, with several seeds: new companies, new draws, the same shipped base policy."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agents.judges import RuleJudge
from evals.bench_frame import Target, bench_report
from karl.reporting import Reporter
from karl.runs import execute, open_run
from karl.settings import Settings
from karl.summary import best_temperature, run_summary
from karl.tiny.companies import demo_config, prepare_demo
from store.errors import KarlError
from store.session import Store

# Two-sided 95% quantiles of Student's t for 1 to 9 degrees of freedom: seeds are few.
STUDENT_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
# The demo's own claims: pass@1 over the base's, points of max@8, wall time on two cores.
RATIO, GAIN, SECONDS = 1.8, 0.12, 600.0


def demo_bench(*, seeds: Sequence[int], iterations: int, settings: Settings, reporter: Reporter) -> dict[str, Any]:
    """Run the demo once a seed in its own data folder; figures per arm with a t-interval over the seeds."""
    began = time.perf_counter()
    summaries = [
        _one(seed, iterations=iterations, settings=_own_home(settings, seed), reporter=reporter) for seed in seeds
    ]
    figures = {"seeds": list(seeds), "arms": _arms(summaries), "runs": [_brief(s) for s in summaries]}
    return bench_report(
        "demo",
        figures=figures,
        compared={
            "base at its best temperature": "the shipped base policy, temperatures of the run's sweep and 1",
            "SFT on winners": "the same trainer on the winning rollouts of the same datasets",
        },
        targets=_targets(summaries, iterations=iterations),
        seconds=time.perf_counter() - began,
        seed=seeds[0],
    )


def _own_home(settings: Settings, seed: int) -> Settings:
    return settings.model_copy(update={"home": settings.home / "bench" / f"demo-{seed}", "database_url": ""})


def _one(seed: int, *, iterations: int, settings: Settings, reporter: Reporter) -> dict[str, Any]:
    began = time.perf_counter()
    Path(settings.home).mkdir(parents=True, exist_ok=True)
    store = Store.open(settings.store_url)
    made = prepare_demo(store, seed=seed, settings=settings, reporter=reporter)
    config = demo_config(made, seed=seed, iterations=iterations)
    opened = open_run(store, config, name=None)
    finished = execute(store, opened, config=config, settings=settings, judge=RuleJudge(), reporter=reporter)
    if not finished:
        raise KarlError("the bench was stopped; the same command goes on from here")
    summary = run_summary(store, opened.run)
    store.close()
    # A resumed demo's time says nothing about a whole one.
    seconds = None if opened.resumed else round(time.perf_counter() - began, 1)
    return {**summary, "wall_seconds": seconds}


def _brief(summary: dict[str, Any]) -> dict[str, Any]:
    funnels = [iteration["counts"] for iteration in summary["iterations"]]
    return {
        "seed": summary["settings"]["seed"],
        "wall_seconds": summary["wall_seconds"],
        "funnels": funnels,
        "training": summary["training"],
        "evaluation": summary["evaluation"],
    }


def _arms(summaries: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Arm -> mean and interval over seeds of pass@1 and max@k; the base also at each seed's best temperature."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for summary in summaries:
        for row in summary["evaluation"]:
            rows.setdefault(row["arm"], []).append(row)
        for arm in [row["arm"] for row in summary["evaluation"] if "@" not in row["arm"]]:
            best = best_temperature(summary["evaluation"], arm)
            if best is not None:
                rows.setdefault(f"{arm} at its best temperature", []).append(best)
    return {
        arm: {name: over_seeds([r[name]["mean"] for r in found]) for name in _widths(found)}
        for arm, found in rows.items()
    }


def _widths(rows: list[dict[str, Any]]) -> list[str]:
    return [name for name in rows[0] if name == "pass@1" or name.startswith("max@")]


def over_seeds(values: Sequence[float]) -> dict[str, float | None]:
    """Mean and Student-t 95% interval; no interval for one seed."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return {"mean": round(mean, 4), "low": None, "high": None}
    quantile = STUDENT_T[min(len(values) - 2, len(STUDENT_T) - 1)]
    half = quantile * float(np.std(values, ddof=1)) / len(values) ** 0.5
    return {"mean": round(mean, 4), "low": round(mean - half, 4), "high": round(mean + half, 4)}


def _targets(summaries: list[dict[str, Any]], *, iterations: int) -> list[Target]:
    """Every seed must hold: the worst one is the figure."""
    gaps = [_gaps(summary, last=f"oapl-{iterations}") for summary in summaries]
    worst = {name: round(min(gap[name] for gap in gaps), 4) for name in gaps[0]}
    targets = [
        Target("pass@1 of the last policy over the base's, worst seed", worst["ratio"], ">=", RATIO),
        Target("max@8 gained, worst seed", worst["widest"], ">=", GAIN),
        Target("gap between the pass@1 intervals, worst seed", worst["interval"], ">", 0.0),
        Target("pass@1 gained, both at their best temperature, worst seed", worst["best"], ">", 0.0),
    ]
    seconds = [summary["wall_seconds"] for summary in summaries if summary["wall_seconds"] is not None]
    return [*targets, Target("seconds of the slowest demo", max(seconds), "<=", SECONDS)] if seconds else targets


def _gaps(summary: dict[str, Any], *, last: str) -> dict[str, float]:
    rows = {row["arm"]: row for row in summary["evaluation"]}
    base, trained = rows["base"], rows[last]
    widest = next(name for name in base if name.startswith("max@"))
    at_best = [best_temperature(summary["evaluation"], arm) or rows[arm] for arm in (last, "base")]
    return {
        "ratio": trained["pass@1"]["mean"] / max(base["pass@1"]["mean"], 1e-9),
        "widest": trained[widest]["mean"] - base[widest]["mean"],
        "interval": trained["pass@1"]["low"] - base["pass@1"]["high"],
        "best": at_best[0]["pass@1"]["mean"] - at_best[1]["pass@1"]["mean"],
    }
