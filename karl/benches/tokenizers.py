"""Which tokenizer learns better? Policies cloned alike but for it, on names of the pools and on invented ones."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agents.tools import Searcher
from evals.bench_frame import bench_report
from evals.suite import Attempt, figures
from karl.benches.attempts import Attempted, attempt, company, speaking
from karl.reporting import Progress, Reporter
from karl.settings import Settings
from karl.tiny.companies import EVALUATION_SEED
from karl.tiny.world import Question, make_world, questions

SAMPLES = 8
COMPANIES = {"names of the pools": 0.0, "invented names": 1.0}


def tokenizer_bench(
    checkpoints: Mapping[str, Path], *, count: int, seed: int, settings: Settings, reporter: Reporter
) -> dict[str, Any]:
    """pass@1 and max@8 of each checkpoint on a company of known and one of unknown names; `count` questions each."""
    began = time.perf_counter()
    measured: dict[str, dict[str, Any]] = {name: {} for name in checkpoints}
    for name_of_company, invented in COMPANIES.items():
        world = make_world(EVALUATION_SEED + seed, invented=invented)
        asked = questions(world, count=count, seed=seed)
        with company(world) as searcher:
            for name, checkpoint in checkpoints.items():
                with reporter.stage(f"{name}: {name_of_company}", count * SAMPLES) as progress:
                    answered = _evaluate(checkpoint, asked, searcher=searcher, settings=settings, progress=progress)
                measured[name][name_of_company] = asyncio.run(answered)
    return bench_report(
        "tokenizers",
        figures={"questions": count, "samples": SAMPLES, "policies": measured},
        compared={name: str(path.name) for name, path in checkpoints.items()},
        targets=[],
        seconds=time.perf_counter() - began,
        seed=seed,
    )


async def _evaluate(
    checkpoint: Path, asked: list[Question], *, searcher: Searcher, settings: Settings, progress: Progress
) -> dict[str, Any]:
    async with speaking(checkpoint, settings=settings) as policy:
        groups = await attempt(
            asked,
            graph="solver",
            each=SAMPLES,
            policy=policy,
            searcher=searcher,
            seed=0,
            concurrency=settings.concurrency,
            progress=progress,
        )
    attempts = {number: [_figured(done) for done in group] for number, group in enumerate(groups)}
    found = figures(attempts, kinds={n: q.kind for n, q in enumerate(asked)}, threshold=1.0, k=SAMPLES)
    return {name: found[name] for name in ("pass@1", f"max@{SAMPLES}", "searches", "sampled_tokens", "unfinished")}


def _figured(done: Attempted) -> Attempt:
    record = done.record
    return Attempt(done.reward, record.status, record.searches, record.sampled_tokens)
