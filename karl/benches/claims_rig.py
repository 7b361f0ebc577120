"""What the claims share: one company to train on, another to be measured on, questions whose answers are known.

Questions come from the generated company itself, not from the policy: a claim about training needs no synthesis.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from agents.policy import Policy
from karl.benches.arms import bench_home, carry_out, first_sentence
from karl.benches.learning_figures import Answers, arm_figures, at, by_seed, difference, read_answers
from karl.benches.learning_kinds import PATTERNS
from karl.context import Context, id_of
from karl.filters import filter_tasks, keep_mixed
from karl.reporting import Reporter
from karl.runs import Flow
from karl.settings import Settings
from karl.solving import solve
from karl.tiny.companies import (
    EVALUATION_SEED,
    TRAINING_SEED,
    TRAINING_SIZE,
    demo_config,
    prepare_demo,
    write_questions,
)
from karl.tiny.world import Question, make_world, questions
from store import queries
from store.errors import CollapseError
from store.models import Task
from store.session import Store
from store.types import Fate


@dataclass(frozen=True)
class ClaimOptions:
    """asked: questions to train on; questions, samples: to measure on; steps: of the optimiser, a training.

    stale: optimiser steps between the policy that sampled and the one that is trained, in claim (d).
    """

    seeds: Sequence[int] = (0, 1, 2)
    iterations: int = 1
    asked: int = 240
    questions: int = 154
    samples: int = 8
    steps: int = 75
    stale: int = 400
    overrides: Mapping[str, Any] = field(default_factory=dict)


class Claimed(NamedTuple):
    """What one claim came to: its figures, and what must be above 0, by name."""

    figures: dict[str, Any]
    above_zero: dict[str, float]


class Plan(NamedTuple):
    """What a claim does with every seed. arms: label -> name in the store; mostly: the kinds that two of three measured
    questions are of; constants: of the claim's module, which decide what is made as the options do."""

    claim: str
    flow: Flow
    arms: Mapping[str, str]
    mostly: Sequence[str] = ()
    constants: tuple[object, ...] = ()


class Measured(NamedTuple):
    """answers: label -> of all seeds whose trainings did not collapse; collapsed: seed -> what was said."""

    answers: dict[str, Answers]
    collapsed: dict[str, str]


def measure(plan: Plan, options: ClaimOptions, *, settings: Settings, reporter: Reporter) -> Measured:
    """Carry out the flow for every seed, in data folders of its own.

    What was made before with the same options is not made again. Raises: KarlError when it was stopped, or when the
    training of every seed collapsed.
    """
    found = Measured({label: {} for label in plan.arms}, {})
    decides = (options.asked, options.stale, plan.mostly, *plan.constants)
    for seed in options.seeds:
        own = bench_home(settings, f"claim-{plan.claim}-{seed}", *decides)
        store = Store.open(own.store_url)
        made = prepare_demo(store, seed=seed, settings=own, reporter=reporter)
        measured = measured_questions(seed, count=options.questions, mostly=plan.mostly)
        write_questions(measured, path := own.home / "measured.jsonl")
        made = replace(made, questions=path)
        config = demo_config(made, seed=seed, iterations=1, overrides=run_settings(options))
        try:
            run = carry_out(store, config, plan.flow, settings=own, reporter=reporter)
            for label, arm in plan.arms.items():
                found.answers[label].update(read_answers(store, run, arm, seed=seed, threshold=config.reward_threshold))
        except CollapseError as exc:
            found.collapsed[str(seed)] = first_sentence(exc)
            reporter.say(f"claim {plan.claim}, seed {seed}: {exc}")
        finally:
            store.close()
    if not any(found.answers.values()):
        raise CollapseError(f"claim {plan.claim}: the training of every seed collapsed: {found.collapsed}")
    return found


def run_settings(options: ClaimOptions) -> dict[str, Any]:
    return {
        "held_out": options.questions,
        "eval_samples": options.samples,
        "eval_temperatures": [],
        "max_tasks": 1_000_000,
        "train_steps": options.steps,
        "sft_control": False,
        **options.overrides,
    }


def training_questions(seed: int, *, count: int, kinds: Sequence[str]) -> list[Question]:
    """About the company that is trained on, of each kind about as many, in random order: any part has all kinds."""
    world = make_world(TRAINING_SEED + seed, size=TRAINING_SIZE)
    found = questions(world, count=count, seed=seed, kinds=tuple(kinds))
    random.Random(seed).shuffle(found)
    return found


def measured_questions(seed: int, *, count: int, mostly: Sequence[str]) -> list[Question]:
    """About the company that is measured on: two of three, as far as there are any, of the kinds `mostly`."""
    world = make_world(EVALUATION_SEED + seed)
    first = questions(world, count=count * 2 // 3, seed=seed, kinds=tuple(mostly)) if mostly else []
    others = tuple(kind for kind in PATTERNS if kind not in mostly)
    return [*first, *questions(world, count=count - len(first), seed=seed, kinds=others)]


async def roll_out(context: Context, number: int, asked: Sequence[Question], policy: Policy, *, task: str = "") -> None:
    """Questions > G judged rollouts each > those neither too easy nor too hard, as iteration `number` of the run.

    `task`: what they are balanced as in a training.
    """
    rows = [
        Task(
            key=context.key(number, "given", f"{place:04d}"),
            run_id=context.run_id,
            iteration=number,
            corpus_id=id_of(context.corpus),
            kind=task,
            question=question.text,
            answer=question.answer,
            nuggets=list(question.answers),
            fate=Fate.DEDUPLICATED,
        )
        for place, question in enumerate(asked)
    ]
    with context.store.session() as session:
        queries.save_tasks(session, rows)
    await solve(context, number, policy)
    filter_tasks(context, number)
    keep_mixed(context, number)


def kept(context: Context, number: int) -> list[int]:
    """The ids of the kept questions of iteration `number`, in order."""
    with context.store.session() as session:
        rows = queries.tasks_by_fate(session, context.run_id, fates=Fate.KEPT, iteration=number)
    return sorted(id_of(row) for row in rows)


def described(arms: Mapping[str, Answers], *, samples: int) -> dict[str, Any]:
    """Label -> figures, with the pass rate of every kind of question."""
    return {
        label: {
            **arm_figures(answers, samples=samples),
            "by_kind": {
                kind: round(sum(rates) / len(rates), 4)
                for kind in sorted({tries.kind for tries in answers.values()})
                if (rates := [tries.at(1) for tries in answers.values() if tries.kind == kind])
            },
        }
        for label, answers in arms.items()
    }


def gap(ours: Answers, theirs: Answers) -> dict[str, Any]:
    """Of pass@1, over the questions of all seeds and seed by seed."""
    return difference(ours, theirs, at(1)).as_dict() | {"by_seed": by_seed(ours, theirs, at(1))}


def must_hold(pairs: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """What must be above 0 for each of the pairs."""
    found: dict[str, float] = {}
    for name, pair in pairs.items():
        found[f"{name}, lower end of the interval"] = pair["low"]
        found[f"{name}, worst seed"] = min(pair["by_seed"].values())
    return found
