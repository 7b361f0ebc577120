"""The whole flow, one function per arrow: corpus > questions > rollouts > dataset > checkpoint > next iteration.

    hold_out -> [ synthesize -> deduplicate -> solve -> filter_tasks -> snapshot -> train ] x iterations -> evaluate

Every arrow reads what the one before it stored and does only what is missing, so a stopped run goes on where it was.
"""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from agents.policy import Policy, load_profile
from graphs.state import RolloutInputs
from karl.collect import Unit
from karl.context import Context
from karl.evaluation import evaluate, sweep_temperatures
from karl.filters import filter_tasks, funnel_line, snapshot
from karl.held_out import hold_out
from karl.synthesis import deduplicate, synthesize
from karl.training import train
from store import queries
from store.models import Checkpoint, Task
from store.queries import RolloutLinks
from store.types import Algorithm, Fate, Purpose, Stage

ARRIVED = (Fate.DEDUPLICATED, Fate.INCOMPLETE, Fate.ALL_CORRECT, Fate.ALL_WRONG, Fate.MIXED, Fate.INVALID, Fate.KEPT)


async def run_loop(context: Context) -> None:
    """Run, or go on with, all iterations and evaluations. Raises: Stopped when asked to stop."""
    base = await _base_checkpoint(context)
    async with context.policy(Path(base.path)) as policy:
        await hold_out(context, policy)
        await evaluate(context, policy, arm="base", iteration=0, checkpoint=base)
        await sweep_temperatures(context, policy, arm="base", iteration=0, checkpoint=base)
    newest, control = base, base
    for number in range(1, context.config.iterations + 1):
        newest, control = await iterate(context, number, start=newest, control=control)
    # The control is swept as well: part of what SFT gains is sharpening, like part of what OAPL gains.
    for checkpoint in _arms(context, newest, control):
        async with context.policy(Path(checkpoint.path)) as policy:
            last = context.config.iterations
            arm = f"{checkpoint.algorithm}-{last}"
            await sweep_temperatures(context, policy, arm=arm, iteration=last, checkpoint=checkpoint)


async def iterate(
    context: Context, number: int, *, start: Checkpoint, control: Checkpoint
) -> tuple[Checkpoint, Checkpoint]:
    """One iteration from the policy `start`; `control` is where the SFT control of the same datasets stands."""
    if _pending(context, number, Stage.SOLVE):
        async with context.policy(Path(start.path)) as policy:
            async with _stage(context, number, Stage.SYNTHESIZE) as pending:
                if pending:
                    await synthesize(context, number, policy)
            async with _stage(context, number, Stage.DEDUPLICATE) as pending:
                if pending:
                    await deduplicate(context, number)
            async with _stage(context, number, Stage.SOLVE):
                await solve(context, number, policy)
    async with _stage(context, number, Stage.FILTER) as pending:
        if pending:
            await filter_tasks(context, number)
        context.reporter.say(funnel_line(context, number))
        dataset = snapshot(context, number, policy_version=start.policy_version)
    async with _stage(context, number, Stage.TRAIN):
        trained = await train(context, number, dataset, start=start, algorithm=Algorithm.OAPL)
        if context.config.sft_control:
            control = await train(context, number, dataset, start=control, algorithm=Algorithm.SFT)
    async with _stage(context, number, Stage.EVALUATE):
        for checkpoint in _arms(context, trained, control):
            async with context.policy(Path(checkpoint.path)) as policy:
                arm = f"{checkpoint.algorithm}-{number}"
                await evaluate(context, policy, arm=arm, iteration=number, checkpoint=checkpoint)
    return trained, control


def _arms(context: Context, trained: Checkpoint, control: Checkpoint) -> list[Checkpoint]:
    return [trained, control] if context.config.sft_control else [trained]


def _pending(context: Context, number: int, stage: Stage) -> bool:
    """A finished stage is never entered again: a failed rollout retried later could change a frozen dataset."""
    order = list(Stage)
    with context.store.session() as session:
        row = queries.iteration_row(session, context.run_id, number=number)
        return not row.done and order.index(row.stage) <= order.index(stage)


@asynccontextmanager
async def _stage(context: Context, number: int, stage: Stage) -> AsyncIterator[bool]:
    """Whether the stage is still to do; records how long it took and that it is done. A stopped stage is not."""
    began = time.perf_counter()
    pending = _pending(context, number, stage)
    yield pending
    if pending:
        seconds = time.perf_counter() - began
        with context.store.session() as session:
            queries.finish_stage(session, context.run_id, number=number, stage=stage, seconds=seconds)


async def _base_checkpoint(context: Context) -> Checkpoint:
    profile = load_profile(context.config.base)
    with context.store.session() as session:
        return queries.save_checkpoint(
            session,
            Checkpoint(
                run_id=context.run_id,
                name=context.key("base"),
                algorithm=Algorithm.BASE,
                path=str(context.config.base),
                policy_version=profile.policy_version,
            ),
        )


async def solve(context: Context, number: int, policy: Policy) -> None:
    """Distinct questions -> G judged rollouts each."""
    units = [
        Unit(
            key=f"{task.key}/solve/{attempt}",
            inputs=RolloutInputs(question=task.question),
            links=RolloutLinks(run_id=context.run_id, iteration=number, task_id=task.id, attempt=attempt),
            purpose=Purpose.TRAIN,
            nuggets=tuple(task.nuggets or [task.answer]),
        )
        for task in _drawn(context, number)
        for attempt in range(context.config.group_size)
    ]
    runner = context.runner("solver", policy, context.searcher)
    with context.reporter.stage(f"iteration {number}: solving", len(units)) as progress:
        await context.collector(context.corpus).collect(units, runner=runner, run_id=context.run_id, progress=progress)


def _drawn(context: Context, number: int) -> list[Task]:
    """At most `max_tasks` distinct questions, drawn by the seed: the first to finish would be the easy ones."""
    with context.store.session() as session:
        tasks = queries.tasks_by_fate(session, context.run_id, fates=ARRIVED, iteration=number)
    tasks.sort(key=lambda task: task.key)
    drawn = random.Random(f"{context.config.seed}:{number}").sample(tasks, min(context.config.max_tasks, len(tasks)))
    return sorted(drawn, key=lambda task: task.key)
