"""Does a trained value model tell right from wrong on unknown questions, and does guided search pay for its tokens?

Per seed: rollouts of one generated company train the value model; on another company it is measured, and guided search
(k = 2, N searches, votes) is held against parallel sampling with a majority vote that cost at least as many tokens.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from agents.engines.local.value_model import ValueModel, load_value
from agents.values import LikelihoodValue, ValueFunction
from evals.bench_frame import Target, bench_report
from karl.benches.attempts import Attempted, attempt, company, speaking
from karl.benches.value_pools import drawn, training_rollouts
from karl.benches.value_votes import STRATEGIES, Compared, bootstrap, compare
from karl.reporting import Reporter
from karl.settings import Settings
from karl.tiny import POLICY_FOLDER
from karl.tiny.companies import EVALUATION_SEED, TRAINING_SEED, TRAINING_SIZE
from karl.tiny.world import make_world, questions
from rl_backend.source import MemorySource
from rl_backend.value.config import ValueConfig, load_value_recipe
from rl_backend.value.train import ValueResult, measure, train_value

CANDIDATES = 2


class ValueBench(NamedTuple):
    """How many questions, with how many rollouts each, to train on; then to measure on, with searches and attempts."""

    train_questions: int = 300
    group_size: int = 8
    questions: int = 100
    searches: int = 8
    attempts: int = 24
    temperature: float = 1.0


class SeedFigures(NamedTuple):
    training: dict[str, Any]
    held_out: dict[str, Any]
    serving: dict[str, float]
    pass_at_1: dict[str, float]
    votes: dict[str, dict[int, list[Compared]]]  # value function -> searches -> one per question


def value_bench(
    *, seeds: Sequence[int], sizes: ValueBench, checkpoint: Path = POLICY_FOLDER, settings: Settings, reporter: Reporter
) -> dict[str, Any]:
    """Figures per seed, and votes over the questions of all seeds with bootstrap intervals."""
    began = time.perf_counter()
    measured = [_one(seed, sizes, checkpoint=checkpoint, settings=settings, reporter=reporter) for seed in seeds]
    votes = {name: _votes([m.votes[name] for m in measured], seed=seeds[0]) for name in measured[0].votes}
    widest = votes["trained"][str(_searches(sizes)[-1])]
    held = [m.held_out for m in measured]
    return bench_report(
        "value",
        figures={
            "seeds": list(seeds),
            "sizes": sizes._asdict(),
            "candidates": CANDIDATES,
            "per_seed": [m._replace(votes={})._asdict() for m in measured],
            "votes": votes,
        },
        compared={
            "parallel": "the same policy and temperature, majority vote, at least as many sampled tokens",
            "likelihood": "the same search guided by the policy's own likelihood",
            "base rate": "a constant: the share of correct tokens of the training rollouts",
        },
        targets=[
            Target("AUC at turns' ends on another company, worst seed", min(h["model"]["auc"] for h in held), ">", 0.5),
            Target(
                "cross-entropy below the base rate's, worst seed",
                min(h["base rate"]["cross_entropy"] - h["model"]["cross_entropy"] for h in held),
                ">",
                0.0,
            ),
            Target(
                "guided search, weighted majority, over parallel majority at equal tokens, low end of the interval",
                widest["gain"]["low"],
                ">",
                0.0,
            ),
        ],
        seconds=time.perf_counter() - began,
        seed=seeds[0],
    )


def _one(seed: int, sizes: ValueBench, *, checkpoint: Path, settings: Settings, reporter: Reporter) -> SeedFigures:
    config = load_value_recipe("tiny", **{"training.seed": seed})
    with TemporaryDirectory() as folder:
        graded = asyncio.run(_graded(seed, sizes, checkpoint=checkpoint, settings=settings, reporter=reporter))
        with reporter.stage(f"seed {seed}: training the value model", 1) as progress:
            result = train_value(MemorySource(graded), base=checkpoint, out=Path(folder) / "value", config=config)
            progress.advance()
        shares = sum(rollout.reward == 1.0 for rollout in graded) / len(graded)
        training = {**_training(result), "rollouts_graded": len(graded), "share_correct": round(shares, 4)}
        return asyncio.run(
            _measured(
                seed, sizes, result, config, training, checkpoint=checkpoint, settings=settings, reporter=reporter
            )
        )


async def _graded(seed: int, sizes: ValueBench, *, checkpoint: Path, settings: Settings, reporter: Reporter) -> Any:
    """All rollouts of the training company, of questions that all or none solved too."""
    world = make_world(TRAINING_SEED + seed, size=TRAINING_SIZE)
    asked = questions(world, count=sizes.train_questions, seed=seed)
    with (
        company(world) as searcher,
        reporter.stage(f"seed {seed}: rollouts", len(asked) * sizes.group_size) as progress,
    ):
        async with speaking(checkpoint, settings=settings) as policy:
            groups = await attempt(
                asked,
                graph="solver",
                each=sizes.group_size,
                policy=policy,
                searcher=searcher,
                value=None,
                seed=seed,
                temperature=1.0,
                concurrency=settings.concurrency,
                progress=progress,
            )
    return training_rollouts(groups, asked)


async def _measured(
    seed: int,
    sizes: ValueBench,
    result: ValueResult,
    config: ValueConfig,
    training: dict[str, Any],
    *,
    checkpoint: Path,
    settings: Settings,
    reporter: Reporter,
) -> SeedFigures:
    world = make_world(EVALUATION_SEED + seed)
    asked = questions(world, count=sizes.questions, seed=seed)
    assert result.out is not None and result.record is not None
    trained = load_value(result.out)
    functions: dict[str, ValueFunction] = {"trained": trained, "likelihood": LikelihoodValue()}
    total = len(asked) * (sizes.attempts + sizes.searches * len(functions))
    serving: dict[str, float] = {}
    with company(world) as searcher, reporter.stage(f"seed {seed}: another company", total) as progress:
        async with speaking(checkpoint, settings=settings) as policy:

            async def sample(graph: str, each: int, value: ValueFunction | None) -> list[list[Attempted]]:
                return await attempt(
                    asked,
                    graph=graph,
                    each=each,
                    policy=policy,
                    searcher=searcher,
                    value=value,
                    seed=seed,
                    temperature=sizes.temperature,
                    concurrency=settings.concurrency,
                    progress=progress,
                )

            plain = await sample("solver", sizes.attempts, None)
            guided: dict[str, list[list[Attempted]]] = {}
            for name, function in functions.items():
                guided[name] = await sample("value_guided_solver", sizes.searches, function)
                if name == "trained":
                    serving = _serving(trained)
    held_out = measure(result.out, MemorySource(training_rollouts(plain, asked)), config=config, record=result.record)
    votes = {name: await _compared(guided[name], plain, sizes, value=trained, seed=seed) for name in functions}
    await trained.aclose()
    return SeedFigures(
        training=training,
        held_out=held_out,
        serving=serving,
        pass_at_1={"solver": _pass(plain), **{f"guided, {name}": _pass(guided[name]) for name in functions}},
        votes=votes,
    )


async def _compared(
    guided: Sequence[Sequence[Attempted]],
    plain: Sequence[Sequence[Attempted]],
    sizes: ValueBench,
    *,
    value: ValueFunction,
    seed: int,
) -> dict[int, list[Compared]]:
    found: dict[int, list[Compared]] = {count: [] for count in _searches(sizes)}
    for ours, theirs in zip(guided, plain, strict=True):
        pools = [
            [await drawn(done, value=value) for done in pool if done.reward is not None] for pool in (ours, theirs)
        ]
        for count in found:
            found[count].append(await compare(*pools, searches=count, seed=seed))
    return found


def _searches(sizes: ValueBench) -> list[int]:
    """1, 2, 4 ... up to half the pool, so that no draw is the whole pool."""
    return [1 << power for power in range(16) if 1 << power <= max(1, sizes.searches // 2)]


def _votes(of_seeds: Sequence[dict[int, list[Compared]]], *, seed: int) -> dict[str, Any]:
    """Searches -> shares answered right, tokens, and the gain of each vote over parallel majority, with intervals."""
    found: dict[str, Any] = {}
    for count in of_seeds[0]:
        rows = [row for one in of_seeds for row in one[count]]
        majority = STRATEGIES.index("majority")
        gains = {
            f"{pool} {name}": bootstrap([getattr(row, pool)[index] - row.parallel[majority] for row in rows], seed=seed)
            for pool in ("guided", "parallel")
            for index, name in enumerate(STRATEGIES)
            if (pool, name) != ("parallel", "majority")
        }
        found[str(count)] = {
            "questions": len(rows),
            "guided": {name: _mean([r.guided[i] for r in rows]) for i, name in enumerate(STRATEGIES)},
            "parallel": {name: _mean([r.parallel[i] for r in rows]) for i, name in enumerate(STRATEGIES)},
            "guided_tokens": _mean([r.guided_tokens for r in rows]),
            "parallel_tokens": _mean([r.parallel_tokens for r in rows]),
            "parallel_attempts": _mean([r.parallel_attempts for r in rows]),
            "gains": gains,
            "gain": gains["guided weighted_majority"],
        }
    return found


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


def _pass(pools: Sequence[Sequence[Attempted]]) -> float:
    rewards = [float(done.reward == 1.0) for pool in pools for done in pool if done.reward is not None]
    return _mean(rewards)


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4)
