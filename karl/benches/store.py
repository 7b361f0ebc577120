"""How fast is a big store? Filled by a seeded plan, then asked what the interface and the loop ask of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from evals.bench_frame import Target, bench_report
from karl.benches.big_store import fill_store, plan_store
from karl.reporting import Reporter
from store import queries
from store.errors import UsageError
from store.queries import RolloutFilter
from store.session import Session, Store
from store.types import Fate, Purpose, RolloutStatus

REPEATS = 20
MOST_MS = 100.0  # of a question that a screen waits for: half of the 200 ms that a switch of screens may take


def big_store_file(home: Path, *, rollouts: int, steps: int, seed: int) -> Path:
    """Where `karl bench store --keep` leaves it: a home of its own, for `karl --home` too."""
    return home / "bench" / f"store-{rollouts}x{steps}-{seed}" / "karl.db"


def store_bench(*, home: Path, rollouts: int, steps: int, seed: int, keep: bool, reporter: Reporter) -> dict[str, Any]:
    """A store that is kept from before is only asked. Raises: UsageError for fewer rollouts than a plan needs."""
    began = time.perf_counter()
    file = big_store_file(home, rollouts=rollouts, steps=steps, seed=seed)
    filling = fill_once(file, rollouts=rollouts, steps=steps, seed=seed, reporter=reporter)
    store = Store.open(f"sqlite:///{file}")
    try:
        asked = _measure(store)
    finally:
        store.close()
    size = sum(part.stat().st_size for part in file.parent.iterdir())
    if not keep:
        _remove(file)
    return bench_report(
        "store",
        figures={
            "rollouts": rollouts,
            "steps": rollouts * steps,
            "megabytes": round(size / 1e6, 1),
            "filled_rollouts_per_second": round(rollouts / filling, 1) if filling else None,
            "file": str(file) if keep else None,
            "milliseconds": asked,
        },
        compared={},
        targets=[Target(f"milliseconds.{name}.p95", found["p95"], "<=", MOST_MS) for name, found in asked.items()],
        seconds=time.perf_counter() - began,
        seed=seed,
    )


def fill_once(file: Path, *, rollouts: int, steps: int, seed: int, reporter: Reporter) -> float:
    """Seconds; 0 for a store that is there already. Half a store is no store: it is filled under another name first.

    Raises: UsageError for fewer rollouts than a plan needs.
    """
    if file.exists():
        return 0.0
    if rollouts < 1000 or steps < 2:
        raise UsageError("--rollouts: at least 1000, --steps: at least 2; a smaller store measures nothing")
    unfinished = file.with_name("unfinished.db")
    _remove(unfinished)
    store, began = Store.open(f"sqlite:///{unfinished}"), time.perf_counter()
    try:
        with reporter.stage("filling", rollouts) as progress:
            fill_store(store, plan_store(rollouts=rollouts, steps=steps, seed=seed), progress=progress)
    finally:
        store.close()
    unfinished.rename(file)
    return time.perf_counter() - began


def _remove(file: Path) -> None:
    for part in (file, *(file.with_name(file.name + ending) for ending in ("-wal", "-shm"))):
        part.unlink(missing_ok=True)


def _measure(store: Store) -> dict[str, dict[str, float]]:
    """Question -> milliseconds."""
    with store.session() as session:
        runs = {row.name: row.id or 0 for row in queries.runs(session)}
        newest = queries.rollout_lines(session, RolloutFilter(run_id=runs["big-1"]), limit=1)[0].rollout_id
    return {name: _timed(store, ask) for name, ask in _questions(runs["big-1"], newest).items()}


def _questions(run: int, rollout: int) -> Mapping[str, Callable[[Session], object]]:
    """What screens ask of the biggest run."""

    def lines(**wanted: Any) -> Callable[[Session], object]:
        return lambda session: queries.rollout_lines(session, RolloutFilter(run_id=run, **wanted))

    return {
        "runs": queries.run_overviews,
        "funnel": lambda session: queries.funnel(session, run, iteration=1),
        "failures": lambda session: queries.failure_counts(session, run),
        "curve": lambda session: queries.series(session, run, series="oapl-1", name="loss"),
        "evaluation": lambda session: queries.eval_results(session, run),
        "rollout": lambda session: queries.load_rollout(session, rollout),
        "list": lines(),
        "list_failed": lines(status=RolloutStatus.FAILED),
        "list_behaviour": lines(behaviour="giving_up_early", purpose=Purpose.EVALUATE),
        "list_score": lines(lowest=0.5, arm="oapl-1", iteration=2),
        "list_fate": lines(fate=Fate.KEPT),
        "count": lambda session: queries.rollout_total(session, RolloutFilter(run_id=run, lowest=0.5)),
    }


def _timed(store: Store, ask: Callable[[Session], object]) -> dict[str, float]:
    found: list[float] = []
    for _ in range(REPEATS + 1):
        with store.session() as session:
            began = time.perf_counter()
            ask(session)
            found.append((time.perf_counter() - began) * 1000)
    ordered = sorted(found[1:])  # the first one warms up
    return {"median": round(ordered[len(ordered) // 2], 2), "p95": round(ordered[int(len(ordered) * 0.95)], 2)}
