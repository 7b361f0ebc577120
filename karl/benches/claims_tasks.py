"""Claim (b): one policy trained on two tasks beats each specialist on questions of neither.

Task A is about customers and people, task B about teams and what they build; the questions that are measured need both
(customer > product > team > leader or office). Each policy is trained on as many groups, in as many optimiser steps.
"""

from __future__ import annotations

from pathlib import Path

from karl.benches.claims_rig import (
    Claimed,
    ClaimOptions,
    Plan,
    described,
    gap,
    kept,
    measure,
    must_hold,
    roll_out,
    training_questions,
)
from karl.benches.learning_figures import of_kinds
from karl.context import Context
from karl.evaluation import evaluate
from karl.filters import freeze
from karl.held_out import hold_out
from karl.loop import base_checkpoint
from karl.reporting import Reporter
from karl.settings import Settings
from karl.training import train
from store.models import Checkpoint
from store.types import Algorithm

A = ("home", "product_used", "manager_home", "product_launch")
B = ("team_leader", "concern", "product_leader", "product_office")
NEITHER = ("user_leader", "user_office")
ARMS = {"base": "base", "A alone": "oapl-11", "B alone": "oapl-12", "A and B": "oapl-13"}


def claim_tasks(options: ClaimOptions, *, settings: Settings, reporter: Reporter) -> Claimed:
    async def flow(context: Context) -> None:
        await _flow(context, options)

    plan = Plan("b", flow, ARMS, mostly=NEITHER, constants=(A, B))
    arms, collapsed = measure(plan, options, settings=settings, reporter=reporter)
    new = {label: of_kinds(answers, NEITHER) for label, answers in arms.items()}
    over = {f"A and B over {one} alone": gap(new["A and B"], new[f"{one} alone"]) for one in ("A", "B")}
    figures = {
        "kinds": {"A": list(A), "B": list(B), "neither": list(NEITHER)},
        "neither": described(new, samples=options.samples),
        "A": described({label: of_kinds(found, A) for label, found in arms.items()}, samples=options.samples),
        "B": described({label: of_kinds(found, B) for label, found in arms.items()}, samples=options.samples),
        "pairs": over,
        "collapsed": collapsed,
    }
    return Claimed(figures, must_hold(over))


async def _flow(context: Context, options: ClaimOptions) -> None:
    context.read_graphs()
    base = await base_checkpoint(context)
    async with context.policy(Path(base.path)) as policy:
        await hold_out(context, policy)
        await evaluate(context, policy, arm="base", iteration=0, checkpoint=base)
        for number, (task, kinds) in enumerate({"A": A, "B": B}.items(), 1):
            asked = training_questions(context.config.seed, count=options.asked, kinds=kinds)
            await roll_out(context, number, asked, policy, task=task)
    found = kept(context, 1), kept(context, 2)
    size = min(map(len, found))
    half = (size + 1) // 2
    for number, chosen in enumerate(
        ([*found[0][:size]], [*found[1][:size]], [*found[0][:half], *found[1][: size - half]]), 11
    ):
        await _train(context, number, set(chosen), base)


async def _train(context: Context, number: int, tasks: set[int], base: Checkpoint) -> None:
    dataset = freeze(context, number, tasks=tasks, sampled_in=(1, 2), policy_version=base.policy_version)
    trained = await train(context, number, dataset, start=base, algorithm=Algorithm.OAPL)
    async with context.policy(Path(trained.path)) as policy:
        await evaluate(context, policy, arm=f"oapl-{number}", iteration=number, checkpoint=trained)
