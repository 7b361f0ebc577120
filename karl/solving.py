"""Distinct questions > G judged rollouts each."""

from __future__ import annotations

import random
import re

from agents.policy import Policy
from graphs.state import RolloutInputs
from karl.collect import Unit
from karl.context import Context
from store import queries
from store.models import Task
from store.queries import RolloutLinks
from store.types import Fate, Purpose

ARRIVED = (Fate.DEDUPLICATED, Fate.INCOMPLETE, Fate.ALL_CORRECT, Fate.ALL_WRONG, Fate.MIXED, Fate.INVALID, Fate.KEPT)


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
    runner = context.runner("solve", policy, context.searcher)
    with context.reporter.stage(f"iteration {number}: solving", len(units)) as progress:
        await context.collector(context.corpus).collect(units, runner=runner, run_id=context.run_id, progress=progress)


def _drawn(context: Context, number: int) -> list[Task]:
    """At most `max_tasks` distinct questions, drawn by the seed: the first to finish would be the easy ones."""
    left_out = [re.compile(pattern) for pattern in context.config.leave_out]
    with context.store.session() as session:
        found = queries.tasks_by_fate(session, context.run_id, fates=ARRIVED, iteration=number)
    tasks = [task for task in found if not any(pattern.search(task.question) for pattern in left_out)]
    tasks.sort(key=lambda task: task.key)
    drawn = random.Random(f"{context.config.seed}:{number}").sample(tasks, min(context.config.max_tasks, len(tasks)))
    return sorted(drawn, key=lambda task: task.key)
