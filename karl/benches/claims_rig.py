"""What the claims share: one company to train on, another to be measured on, questions whose answers are known.

Questions come from the generated company itself, not from the policy: a claim about training needs no synthesis.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from agents.policy import Policy
from karl.benches.arms import carry_out
from karl.benches.learning_figures import Answers, Figure, arm_figures, difference, read_answers
from karl.context import Context, id_of
from karl.filters import filter_tasks, keep_mixed
from karl.reporting import Reporter
from karl.runs import Flow
from karl.settings import Settings
from karl.solving import solve
from karl.tiny.companies import TRAINING_SEED, TRAINING_SIZE, demo_config, prepare_demo
from karl.tiny.world import Question, make_world, questions
from store import queries
from store.models import Task
from store.session import Store
from store.types import Fate


@dataclass(frozen=True)
class ClaimOptions:
    """asked: questions to train on; questions, samples: to measure on; steps: of the optimiser, a training.

    stale: optimiser steps between the policy that sampled and the one that is trained, in claim (d).
    """

    seeds: Sequence[int] = (0,)
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


def measure(
    claim: str, flow: Flow, arms: Mapping[str, str], options: ClaimOptions, *, settings: Settings, reporter: Reporter
) -> dict[str, Answers]:
    """Carry out the flow for every seed, in data folders of its own; label -> answers. `arms`: label -> in the store.

    What was made before is not made again. Raises: KarlError when it was stopped.
    """
    found: dict[str, Answers] = {label: {} for label in arms}
    for seed in options.seeds:
        own = settings.model_copy(
            update={"home": settings.home / "bench" / f"claim-{claim}-{seed}", "database_url": ""}
        )
        Path(own.home).mkdir(parents=True, exist_ok=True)
        store = Store.open(own.store_url)
        made = prepare_demo(store, seed=seed, settings=own, reporter=reporter, count=options.questions)
        config = demo_config(made, seed=seed, iterations=1, overrides=run_settings(options))
        run = carry_out(store, config, flow, settings=own, reporter=reporter)
        for label, arm in arms.items():
            found[label] |= read_answers(store, run, arm, seed=seed, threshold=config.reward_threshold)
        store.close()
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
    """About the company that is trained on; the kinds in turn."""
    return questions(make_world(TRAINING_SEED + seed, size=TRAINING_SIZE), count=count, seed=seed, kinds=tuple(kinds))


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


def gap(ours: Answers, theirs: Answers, figure: Figure = lambda tries: tries.at(1)) -> dict[str, float]:
    return difference(ours, theirs, figure).as_dict()
