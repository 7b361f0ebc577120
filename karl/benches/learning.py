"""Does it learn, and what does OAPL add? Base, SFT on winners, GRPO and OAPL on equal rollouts and optimiser steps.

Every arm starts from the shipped policy and from one dataset; later iterations train each on rollouts of its own
policy, as many as the others'. Some kinds of question are left out of all training data and are measured apart: the
base was cloned on all kinds, so they are new to reinforcement learning, not to the policy.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, NamedTuple

from evals.bench_frame import Target, bench_report
from evals.statistics import Interval
from karl.benches.arms import ALGORITHMS, BASE, Arm, arms_flow, bench_home, carry_out
from karl.benches.learning_figures import (
    Answers,
    arm_figures,
    at,
    by_seed,
    difference,
    of_kinds,
    pair_figures,
    pass_rate,
    read_answers,
)
from karl.benches.learning_kinds import PATTERNS, UNSEEN
from karl.reporting import Reporter
from karl.run_config import RunConfig
from karl.settings import Settings
from karl.summary import run_summary
from karl.tiny.companies import demo_config, prepare_demo
from store.session import Store
from store.types import Algorithm


@dataclass(frozen=True)
class LearningOptions:
    """What is compared. `overrides`: run settings, on top of those of the bench.

    Questions are spread over the eleven kinds. `steps`: optimiser steps of every training.
    """

    seeds: Sequence[int] = (0, 1, 2)
    iterations: int = 1
    algorithms: Sequence[Algorithm] = ALGORITHMS
    temperatures: tuple[float, ...] = (0.3, 0.5)
    samples: int = 16
    questions: int = 165
    steps: int = 75
    unseen: tuple[str, ...] = UNSEEN
    overrides: Mapping[str, Any] = field(default_factory=dict)


def learning_bench(options: LearningOptions, *, settings: Settings, reporter: Reporter) -> dict[str, Any]:
    """Raises: KarlError when it was stopped; the same command goes on where it was."""
    began = time.perf_counter()
    seeds = {seed: _company(seed, options, settings=settings, reporter=reporter) for seed in options.seeds}
    pooled = {
        name: {k: v for found in seeds.values() for k, v in found.answers[name].items()}
        for name in seeds[options.seeds[0]].answers
    }
    arms, best = _with_best({name: found for name, found in pooled.items() if found}, options)
    figures = {
        "settings": {"seeds": list(options.seeds), "unseen": list(options.unseen), "steps": options.steps}
        | {"questions": options.questions, "samples": options.samples, **options.overrides},
        "arms": {label: _split(found, options) for label, found in arms.items()},
        "best temperatures": best,
        "pairs": {
            f"{a} over {b}": _pair(arms[a], arms[b], options) for a, b in _pairs(options) if a in arms and b in arms
        },
        "pass@1 by seed": {
            name: [_seen_rate(found.answers[name], options) for found in seeds.values()] for name in pooled
        },
        "made": {seed: found.made for seed, found in seeds.items()},
        "collapsed": {seed: found.collapsed for seed, found in seeds.items() if found.collapsed},
    }
    return bench_report(
        "learning",
        figures=figures,
        compared={
            "base": "the shipped policy at T = 1, and at the best of the temperatures tried",
            "SFT": "verl's loss, on the winners of the same groups",
            "GRPO": "verl's clipped policy loss, on the same groups",
        },
        targets=_targets(arms, options),
        seconds=time.perf_counter() - began,
        seed=options.seeds[0],
    )


def rises(ours: Answers, base: Answers, options: LearningOptions, *, when: str = "") -> list[Target]:
    """Claim (a): max@k rises at every k, over the questions of all seeds and in every seed's mean."""
    seen = [of_kinds(answers, options.unseen, other=True) for answers in (ours, base)]
    found = [difference(seen[0], seen[1], at(k)) for k in range(1, options.samples + 1)]
    worst = min(value for k in range(1, options.samples + 1) for value in by_seed(seen[0], seen[1], at(k)).values())
    return [
        Target(f"max@k over the base's{when}, lower end of the interval, worst k", round(_low(found), 4), ">", 0.0),
        Target(f"max@k over the base's{when}, worst seed and k", worst, ">", 0.0),
    ]


def _seen_rate(answers: Answers, options: LearningOptions) -> float | None:
    """None: the arm collapsed before."""
    seen = of_kinds(answers, options.unseen, other=True)
    return pass_rate(seen) if seen else None


def _low(found: Sequence[Interval]) -> float:
    return min(interval.low for interval in found)


def _targets(arms: Mapping[str, Answers], options: LearningOptions) -> list[Target]:
    """None for an arm that collapsed: `collapsed` of the figures says so."""
    last = Arm(Algorithm.OAPL, options.iterations)
    found = rises(arms[last.label], arms[BASE.label], options) if last.label in arms else []
    if options.temperatures and _best(last) in arms:
        found += rises(arms[_best(last)], arms[_best(BASE)], options, when=", each at its best temperature")
    return found


def run_settings(options: LearningOptions) -> dict[str, Any]:
    return {
        "held_out": options.questions,
        "eval_samples": options.samples,
        "eval_temperatures": list(options.temperatures),
        "leave_out": [PATTERNS[kind] for kind in options.unseen],
        "train_steps": options.steps,
        "sft_control": False,
        **options.overrides,
    }


class Company(NamedTuple):
    """One seed. answers: label -> what the policy made of the held-out questions; made: what it was trained on.

    collapsed: algorithm -> why its arm ended early.
    """

    answers: dict[str, Answers]
    made: dict[str, Any]
    collapsed: dict[str, str]


def _company(seed: int, options: LearningOptions, *, settings: Settings, reporter: Reporter) -> Company:
    settings = bench_home(settings, f"learning-{seed}")
    store = Store.open(settings.store_url)
    made = prepare_demo(store, seed=seed, settings=settings, reporter=reporter, count=options.questions)
    # How many iterations is the flow's affair: with more of them the same run goes on.
    config: RunConfig = demo_config(made, seed=seed, iterations=1, overrides=run_settings(options))
    collapsed: dict[str, str] = {}
    flow = arms_flow(options.algorithms, iterations=options.iterations, collapsed=collapsed)
    run = carry_out(store, config, flow, settings=settings, reporter=reporter)
    found = {
        label: read_answers(store, run, name, seed=seed, threshold=config.reward_threshold)
        for arm in _arms(options)
        for label, name in _evaluated(arm, options).items()
    }
    made_of = _made(run_summary(store, run))
    store.close()
    return Company(found, made_of, collapsed)


def _made(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Questions rolled out and kept of every iteration (100, 200, 300 and more: each algorithm's own), and the
    figures of the last step of every training."""
    return {
        "iterations": {str(row["number"]): row["counts"] for row in summary["iterations"]},
        "trainings": summary["training"],
    }


def _arms(options: LearningOptions) -> list[Arm]:
    return [BASE] + [Arm(a, n) for n in range(1, options.iterations + 1) for a in options.algorithms]


def _evaluated(arm: Arm, options: LearningOptions) -> dict[str, str]:
    """Label -> name in the store: at T = 1; the base and each algorithm's last policy at other temperatures too."""
    swept = options.temperatures if arm is BASE or arm.iteration == options.iterations else ()
    return {arm.label: arm.name} | {f"{arm.label}, T {t:g}": f"{arm.name}@{t:g}" for t in swept}


def _with_best(
    pooled: Mapping[str, Answers], options: LearningOptions
) -> tuple[dict[str, Answers], dict[str, dict[str, Any]]]:
    """Label -> answers; each policy that was swept also at the temperature of its highest pass@1, 1 included.

    The second: what was chosen among, pass@1 over all questions.
    """
    arms: dict[str, Answers] = {}
    chosen: dict[str, dict[str, Any]] = {}
    for arm in _arms(options):
        tried = {label: pass_rate(pooled[label]) for label in _evaluated(arm, options) if label in pooled}
        if arm.label in tried:
            arms[arm.label] = pooled[arm.label]
        if len(tried) > 1:
            best = max(tried, key=lambda label: tried[label])
            arms[_best(arm)] = pooled[best]
            chosen[arm.label] = {"best": best, "pass@1": tried}
    return arms, chosen


def _best(arm: Arm) -> str:
    return f"{arm.label} at its best temperature"


def _pairs(options: LearningOptions) -> list[tuple[str, str]]:
    """Every arm over the base; the algorithms among themselves; the last ones also at their best temperatures."""
    pairs = [(arm.label, BASE.label) for arm in _arms(options)[1:]]
    for n in range(1, options.iterations + 1):
        pairs += [(Arm(a, n).label, Arm(b, n).label) for a, b in combinations(options.algorithms, 2)]
    if options.temperatures:
        last = [Arm(a, options.iterations) for a in options.algorithms]
        pairs += [(_best(arm), _best(BASE)) for arm in last]
        pairs += [(_best(a), _best(b)) for a, b in combinations(last, 2)]
    return pairs


def _split(answers: Answers, options: LearningOptions) -> dict[str, Any]:
    parts = _parts(answers, options)
    return {part: arm_figures(found, samples=options.samples) for part, found in parts.items() if found}


def _pair(ours: Answers, theirs: Answers, options: LearningOptions) -> dict[str, Any]:
    parts, others = _parts(ours, options), _parts(theirs, options)
    return {p: pair_figures(found, others[p], samples=options.samples) for p, found in parts.items() if found}


def _parts(answers: Answers, options: LearningOptions) -> dict[str, Answers]:
    return {"seen": of_kinds(answers, options.unseen, other=True), "unseen": of_kinds(answers, options.unseen)}
