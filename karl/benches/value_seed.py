"""One seed of the value model's bench: trained on rollouts of one generated company, measured on another."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from pydantic import BaseModel

from agents.engines.local.value_model import ValueModel, load_value
from agents.policy import Policy
from agents.tools import Searcher
from agents.values import LikelihoodValue, ValueFunction
from karl.benches.attempts import attempt, company, speaking
from karl.benches.value_gains import Contest
from karl.benches.value_pools import Pool, share_correct, training_rollouts, weighed
from karl.benches.value_votes import Compared, Drawn, compare
from karl.reporting import Progress, Reporter
from karl.settings import Settings
from karl.tiny.companies import EVALUATION_SEED, TRAINING_SEED, TRAINING_SIZE
from karl.tiny.world import Question, make_world, questions
from rl_backend.rollouts import TrainingRollout
from rl_backend.source import MemorySource
from rl_backend.value.config import ValueConfig, load_value_recipe
from rl_backend.value.train import ValueResult, measure, train_value

PARALLEL = "parallel"  # the pool that nothing guides


class ValueBench(NamedTuple):
    """How many questions, with how many rollouts each, to train on; then to measure on, with searches and attempts.

    temperatures: of the pools that are measured on; the first is also that of the value model's figures. It is trained
    on rollouts at T = 1 whatever they are. At each, attempts + 2 x searches rollouts a question: 2 x 40 as it stands.
    """

    train_questions: int = 300
    group_size: int = 8
    questions: int = 100
    searches: int = 8
    attempts: int = 24
    temperatures: tuple[float, ...] = (1.0, 0.5)

    @property
    def searches_compared(self) -> list[int]:
        """1, 2, 4 ... up to half the pool, so that no draw is the whole pool."""
        return [1 << power for power in range(16) if 1 << power <= max(1, self.searches // 2)]


class SeedFigures(BaseModel, frozen=True, extra="forbid"):
    training: dict[str, Any]
    held_out: dict[str, Any]
    serving: dict[str, float]
    pass_at_1: dict[str, float]
    contests: list[Contest]
    seconds: float


class Bench(NamedTuple):
    """What the parts of one seed share."""

    seed: int
    sizes: ValueBench
    config: ValueConfig
    checkpoint: Path
    settings: Settings
    reporter: Reporter


def measure_seed(
    seed: int, sizes: ValueBench, *, checkpoint: Path, settings: Settings, reporter: Reporter
) -> SeedFigures:
    began = time.perf_counter()
    config = load_value_recipe("tiny", **{"training.seed": seed})
    bench = Bench(seed, sizes, config, checkpoint, settings, reporter)
    graded, correct = asyncio.run(_graded(bench))
    with TemporaryDirectory() as folder:
        with reporter.stage(f"seed {seed}: training the value model", 1) as progress:
            result = train_value(MemorySource(graded), base=checkpoint, out=Path(folder) / "value", config=config)
            progress.advance()
        figures = asyncio.run(_measured(bench, result))
    training = {**_training(result), "rollouts_graded": len(graded), "share_correct": correct}
    return SeedFigures(training=training, **figures, seconds=round(time.perf_counter() - began, 1))


async def _graded(bench: Bench) -> tuple[list[TrainingRollout], float]:
    """All rollouts of the training company, of questions that all or none solved too; the share that is correct."""
    world, sizes = make_world(TRAINING_SEED + bench.seed, size=TRAINING_SIZE), bench.sizes
    asked = questions(world, count=sizes.train_questions, seed=bench.seed)
    total = len(asked) * sizes.group_size
    with company(world) as searcher, bench.reporter.stage(f"seed {bench.seed}: rollouts", total) as progress:
        async with speaking(bench.checkpoint, settings=bench.settings) as policy:
            ask = _Asking(bench, asked, policy, searcher, progress)
            pool = await ask.sample(None, each=sizes.group_size, temperature=1.0)
    return training_rollouts(pool, asked), share_correct(pool, threshold=bench.config.reward_threshold)


async def _measured(bench: Bench, result: ValueResult) -> dict[str, Any]:
    world, sizes = make_world(EVALUATION_SEED + bench.seed), bench.sizes
    asked = questions(world, count=sizes.questions, seed=bench.seed)
    assert result.out is not None and result.record is not None
    trained = load_value(result.out)
    functions: dict[str, ValueFunction] = {"trained": trained, "likelihood": LikelihoodValue()}
    total = len(asked) * len(sizes.temperatures) * (sizes.attempts + sizes.searches * len(functions))
    with company(world) as searcher, bench.reporter.stage(f"seed {bench.seed}: another company", total) as progress:
        async with speaking(bench.checkpoint, settings=bench.settings) as policy:
            pools = await _pools(_Asking(bench, asked, policy, searcher, progress), functions)
    threshold, serving = bench.config.reward_threshold, _serving(trained)
    drawn = {key: await weighed(pool, value=trained, threshold=threshold) for key, pool in pools.items()}
    await trained.aclose()
    plain = MemorySource(training_rollouts(pools[PARALLEL, sizes.temperatures[0]], asked))
    return {
        "held_out": measure(result.out, plain, config=bench.config, record=result.record),
        "serving": serving,
        "pass_at_1": {
            f"{name}, T {t:g}": share_correct(pool, threshold=threshold) for (name, t), pool in pools.items()
        },
        "contests": await contests(drawn, sizes, seed=bench.seed),
    }


class _Asking(NamedTuple):
    """The same questions of the same company, for every pool."""

    bench: Bench
    asked: list[Question]
    policy: Policy
    searcher: Searcher
    progress: Progress

    async def sample(self, value: ValueFunction | None, *, each: int, temperature: float) -> Pool:
        return await attempt(
            self.asked,
            graph="solver" if value is None else "value_guided_solver",
            each=each,
            policy=self.policy,
            searcher=self.searcher,
            value=value,
            seed=self.bench.seed,
            temperature=temperature,
            concurrency=self.bench.settings.concurrency,
            progress=self.progress,
        )


async def _pools(ask: _Asking, functions: dict[str, ValueFunction]) -> dict[tuple[str, float], Pool]:
    sizes, found = ask.bench.sizes, dict[tuple[str, float], Pool]()
    for temperature in sizes.temperatures:
        found[PARALLEL, temperature] = await ask.sample(None, each=sizes.attempts, temperature=temperature)
        for name, function in functions.items():
            found[name, temperature] = await ask.sample(function, each=sizes.searches, temperature=temperature)
    return found


async def contests(pools: dict[tuple[str, float], list[list[Drawn]]], sizes: ValueBench, *, seed: int) -> list[Contest]:
    """Every guided pool against the parallel pool of every temperature, at every number of searches."""
    return [
        Contest(name, guided, parallel, count, await _rows(pool, pools[PARALLEL, parallel], searches=count, seed=seed))
        for (name, guided), pool in pools.items()
        if name != PARALLEL
        for parallel in sizes.temperatures
        for count in sizes.searches_compared
    ]


async def _rows(guided: list[list[Drawn]], parallel: list[list[Drawn]], *, searches: int, seed: int) -> list[Compared]:
    return [
        await compare(ours, theirs, searches=searches, seed=seed) for ours, theirs in zip(guided, parallel, strict=True)
    ]


def _training(result: ValueResult) -> dict[str, Any]:
    return {
        "steps": result.steps,
        "planned_steps": result.planned_steps,
        "best_step": result.best_step,
        "validation_losses": [round(loss, 4) for loss in result.losses],
        "trained_tokens": result.trained_tokens,
        "seconds": round(result.seconds, 1),
        "validation": result.record.validation if result.record else None,
    }


def _serving(model: ValueModel) -> dict[str, float]:
    """How many tokens were computed, of those that scoring every candidate from the start would have cost."""
    computed, asked = model.rows.tokens_computed, model.rows.tokens_asked
    return {"tokens_computed": computed, "tokens_asked": asked, "share_computed": round(computed / max(asked, 1), 4)}
