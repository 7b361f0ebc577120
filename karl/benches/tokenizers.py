"""Which tokenizer learns better? Policies cloned alike but for it, on names of the pools and on invented ones."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agents.judges import RuleJudge
from evals.bench_frame import bench_report
from evals.suite import Attempt, figures
from graphs.loading import load_runner
from graphs.state import RolloutInputs
from karl.collect import seed_of
from karl.policies import open_policy
from karl.reporting import Progress, Reporter
from karl.settings import Settings
from karl.tiny.companies import EVALUATION_SEED
from karl.tiny.world import Question, make_world, questions, write_notes
from store.corpus import ingest
from store.corpus_settings import CorpusSettings
from store.session import Store
from store.types import Purpose
from store.vectors.batching import AsyncSearcher
from store.vectors.library import open_index

SAMPLES = 8
COMPANIES = {"names of the pools": 0.0, "invented names": 1.0}


def tokenizer_bench(
    checkpoints: Mapping[str, Path], *, count: int, seed: int, settings: Settings, reporter: Reporter
) -> dict[str, Any]:
    """pass@1 and max@8 of each checkpoint on a company of known and one of unknown names; `count` questions each."""
    began = time.perf_counter()
    measured: dict[str, dict[str, Any]] = {name: {} for name in checkpoints}
    for company, invented in COMPANIES.items():
        world = make_world(EVALUATION_SEED + seed, invented=invented)
        asked = questions(world, count=count, seed=seed)
        with tempfile.TemporaryDirectory() as folder:
            write_notes(world, Path(folder) / "notes")
            store = Store.open(f"sqlite:///{folder}/karl.db")
            ingest(store, Path(folder) / "notes", name="company", settings=CorpusSettings(embedder="none"))
            searcher = AsyncSearcher(open_index(store, "company", home=folder))
            for name, checkpoint in checkpoints.items():
                with reporter.stage(f"{name}: {company}", count * SAMPLES) as progress:
                    answered = _evaluate(checkpoint, asked, searcher=searcher, settings=settings, progress=progress)
                measured[name][company] = asyncio.run(answered)
            store.close()
    return bench_report(
        "tokenizers",
        figures={"questions": count, "samples": SAMPLES, "policies": measured},
        compared={name: str(path.name) for name, path in checkpoints.items()},
        targets=[],
        seconds=time.perf_counter() - began,
        seed=seed,
    )


async def _evaluate(
    checkpoint: Path, asked: list[Question], *, searcher: AsyncSearcher, settings: Settings, progress: Progress
) -> dict[str, Any]:
    policy = open_policy(checkpoint, settings=settings)
    runner = load_runner("solver", policy=policy, searcher=searcher)
    judge, limit = RuleJudge(), asyncio.Semaphore(settings.concurrency)
    attempts: dict[int, list[Attempt]] = defaultdict(list)

    async def one(number: int, question: Question, attempt: int) -> None:
        key = f"{number}/{attempt}"
        async with limit:
            record = await runner.run(
                RolloutInputs(question=question.text),
                key=key,
                purpose=Purpose.EVALUATE,
                seed=seed_of(key, seed=0),
            )
        reward = None
        if record.failure is None:
            reward = (await judge.score(record.answer, question=question.text, nuggets=question.answers)).value
        elif record.status.value == "unfinished":
            reward = 0.0
        attempts[number].append(Attempt(reward, record.status, record.searches, record.sampled_tokens))
        progress.advance()

    await asyncio.gather(*(one(n, q, a) for n, q in enumerate(asked) for a in range(SAMPLES)))
    await policy.engine.aclose()
    found = figures(attempts, kinds={n: q.kind for n, q in enumerate(asked)}, threshold=1.0, k=SAMPLES)
    return {name: found[name] for name in ("pass@1", f"max@{SAMPLES}", "searches", "sampled_tokens", "unfinished")}
