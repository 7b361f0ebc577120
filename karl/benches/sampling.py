"""How fast does the local engine answer, in the agents' process and in processes of its own? Side by side, in turns."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from importlib.metadata import version
from statistics import median
from typing import Any

from agents.tools import Searcher
from evals.bench_frame import bench_report
from karl.benches.attempts import Attempted, attempt, company, speaking
from karl.reporting import Progress, Reporter
from karl.settings import Settings
from karl.tiny import POLICY_FOLDER
from karl.tiny.companies import EVALUATION_SEED
from karl.tiny.world import Question, make_world, questions

EACH = 8  # rollouts of a question


def sampling_bench(
    processes: Sequence[int], *, count: int, repeats: int, settings: Settings, seed: int, reporter: Reporter
) -> dict[str, Any]:
    """The shipped policy answers `count` questions eight times; each number of processes has `repeats` turns.

    Loading is not timed, judging by the rule is. Raises: RuntimeError where a rollout failed.
    """
    began = time.perf_counter()
    world = make_world(EVALUATION_SEED + seed)
    asked = questions(world, count=count, seed=seed)
    rates: dict[int, list[float]] = {number: [] for number in processes}
    with company(world) as searcher, reporter.stage("sampling", len(asked) * EACH * repeats * len(rates)) as progress:
        for _ in range(repeats):
            for number in rates:
                chosen = settings.model_copy(update={"engine": "local", "engine_processes": number})
                rates[number].append(
                    asyncio.run(_rate(asked, searcher=searcher, settings=chosen, seed=seed, progress=progress))
                )
    return bench_report(
        "sampling",
        figures={
            "questions": len(asked),
            "rollouts": len(asked) * EACH,
            "repeats": repeats,
            "concurrency": settings.concurrency,
            "rollouts_per_second": {str(number): _figures(found) for number, found in rates.items()},
            "meaning": {"0, 1, ...": "processes of the engine; 0: in the process of the agents"},
        },
        compared={name: version(name) for name in ("torch", "transformers")},
        targets=[],
        seconds=time.perf_counter() - began,
        seed=seed,
    )


async def _rate(
    asked: Sequence[Question], *, searcher: Searcher, settings: Settings, seed: int, progress: Progress
) -> float:
    """Rollouts a second."""
    async with speaking(POLICY_FOLDER, settings=settings) as policy:
        begun = time.perf_counter()
        groups = await attempt(
            asked,
            graph="solver",
            each=EACH,
            policy=policy,
            searcher=searcher,
            seed=seed,
            concurrency=settings.concurrency,
            progress=progress,
        )
        seconds = time.perf_counter() - begun
    _check([one for group in groups for one in group])
    return len(asked) * EACH / seconds


def _check(attempts: Sequence[Attempted]) -> None:
    failed = [one.record.failure for one in attempts if one.reward is None]  # not those that never came to an end
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(attempts)} rollouts failed: {failed[0] and failed[0].reason}")


def _figures(rates: Sequence[float]) -> dict[str, float]:
    return {"median": round(median(rates), 1), "slowest": round(min(rates), 1), "fastest": round(max(rates), 1)}
