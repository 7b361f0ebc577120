"""Claim (d): data that was sampled hundreds of optimiser steps ago still improves the policy.

The base samples two sets of questions. It is trained on the first for `stale` steps, then on the second, which by then
is that old. Beside it: the same questions sampled anew by the trained policy.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from karl.benches.claims_rig import (
    Claimed,
    ClaimOptions,
    Plan,
    described,
    gap,
    measure,
    must_hold,
    roll_out,
    training_questions,
)
from karl.benches.learning_kinds import PATTERNS
from karl.context import Context
from karl.evaluation import evaluate
from karl.filters import snapshot
from karl.held_out import hold_out
from karl.loop import base_checkpoint
from karl.reporting import Reporter
from karl.settings import Settings
from karl.training import train
from store.models import Checkpoint
from store.types import Algorithm

ARMS = {"base": "base", "trained": "oapl-1", "then on stale data": "oapl-2", "then on fresh data": "oapl-3"}


def claim_stale(options: ClaimOptions, *, settings: Settings, reporter: Reporter) -> Claimed:
    async def flow(context: Context) -> None:
        await _flow(context, options)

    arms, collapsed = measure(Plan("d", flow, ARMS), options, settings=settings, reporter=reporter)
    pairs = {
        "stale data over none": gap(arms["then on stale data"], arms["trained"]),
        "fresh data over none": gap(arms["then on fresh data"], arms["trained"]),
        "fresh data over stale": gap(arms["then on fresh data"], arms["then on stale data"]),
    }
    figures = {"steps": options.stale, "arms": described(arms, samples=options.samples), "pairs": pairs}
    name = f"pass@1 gained from data {options.stale} steps old"
    return Claimed(figures | {"collapsed": collapsed}, must_hold({name: pairs["stale data over none"]}))


async def _flow(context: Context, options: ClaimOptions) -> None:
    context.read_graphs()
    asked = training_questions(context.config.seed, count=2 * options.asked, kinds=tuple(PATTERNS))
    first, second = asked[::2], asked[1::2]
    base = await base_checkpoint(context)
    async with context.policy(Path(base.path)) as policy:
        await hold_out(context, policy)
        await evaluate(context, policy, arm="base", iteration=0, checkpoint=base)
        await roll_out(context, 1, first, policy)
        await roll_out(context, 2, second, policy)
    long = replace(context, config=context.config.model_copy(update={"train_steps": options.stale}))
    trained = await _train(long, 1, start=base)
    await _train(context, 2, start=trained)
    async with context.policy(Path(trained.path)) as policy:
        await roll_out(context, 3, second, policy)
    await _train(context, 3, start=trained)


async def _train(context: Context, number: int, *, start: Checkpoint) -> Checkpoint:
    # Both were sampled by the base but the third, which `start` sampled: the version is for the record alone.
    dataset = snapshot(context, number, policy_version=start.policy_version if number == 3 else 0)
    trained = await train(context, number, dataset, start=start, algorithm=Algorithm.OAPL)
    async with context.policy(Path(trained.path)) as policy:
        await evaluate(context, policy, arm=f"oapl-{number}", iteration=number, checkpoint=trained)
    return trained
