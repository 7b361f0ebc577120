"""Held-out evaluation inside a run: the same solver graph, G samples a question, figures with intervals."""

from __future__ import annotations

from agents.policy import Policy
from evals.suite import Attempt, figures
from graphs.state import RolloutInputs
from karl.collect import Unit
from karl.context import Context
from karl.reporting import SilentProgress
from store import queries
from store.errors import KarlError
from store.models import Checkpoint, EvalResult
from store.queries import RolloutLinks
from store.types import Fate, Purpose, RolloutStatus

TOLERATED = 0.02  # share of evaluation rollouts that may fail and be left out


async def evaluate(
    context: Context, policy: Policy, *, arm: str, iteration: int, checkpoint: Checkpoint, temperature: float = 1.0
) -> EvalResult:
    """Sample `policy` on the held-out questions and store the figures under `arm`. Done already: returned as it is."""
    with context.store.session() as session:
        held = {result.arm: result for result in queries.eval_results(session, context.run_id)}
        tasks = queries.tasks_by_fate(session, context.run_id, fates=Fate.HELD_OUT)
    if arm in held:
        return held[arm]
    units = [
        Unit(
            key=context.key("eval", arm, task.key.removeprefix(f"{context.run.name}/"), attempt),
            inputs=RolloutInputs(question=task.question),
            links=RolloutLinks(run_id=context.run_id, iteration=iteration, task_id=task.id, arm=arm, attempt=attempt),
            purpose=Purpose.EVALUATE,
            temperature=temperature,
            nuggets=tuple(task.nuggets or [task.answer]),
        )
        for task in tasks
        for attempt in range(context.config.eval_samples)
    ]
    runner = context.runner("evaluate", policy, context.question_searcher)
    with context.reporter.stage(f"evaluating {arm}", len(units)) as progress:
        collector = context.collector(context.question_corpus)
        await collector.collect(units, runner=runner, run_id=context.run_id, progress=progress)
        if _failed(context, arm):
            # What failed is tried once more: a figure over the rest would favour whatever did not fail.
            await collector.collect(units, runner=runner, run_id=context.run_id, progress=SilentProgress())
    failed = _failed(context, arm)
    if failed > TOLERATED * len(units):
        raise KarlError(
            f"evaluating {arm}: {failed} of {len(units)} rollouts failed twice; `karl show {context.run.name}` counts "
            "the reasons; mend the cause and run the same command again"
        )
    return _store(context, arm=arm, iteration=iteration, checkpoint=checkpoint, temperature=temperature)


def _failed(context: Context, arm: str) -> int:
    with context.store.session() as session:
        attempts = queries.attempts_of_arm(session, context.run_id, arm=arm)
    return sum(row.status is RolloutStatus.FAILED for rows in attempts.values() for row in rows)


async def sweep_temperatures(
    context: Context, policy: Policy, *, arm: str, iteration: int, checkpoint: Checkpoint
) -> None:
    """The same policy at other temperatures: what sharpening alone would give."""
    for temperature in context.config.eval_temperatures:
        await evaluate(
            context,
            policy,
            arm=f"{arm}@{temperature:g}",
            iteration=iteration,
            checkpoint=checkpoint,
            temperature=temperature,
        )


def _store(context: Context, *, arm: str, iteration: int, checkpoint: Checkpoint, temperature: float) -> EvalResult:
    with context.store.session() as session:
        tasks = queries.tasks_by_fate(session, context.run_id, fates=Fate.HELD_OUT)
        attempts = {
            task: [Attempt(a.reward, a.status, a.search_count, a.sampled_tokens) for a in rows]
            for task, rows in queries.attempts_of_arm(session, context.run_id, arm=arm).items()
        }
        result = EvalResult(
            run_id=context.run_id,
            arm=arm,
            iteration=iteration,
            checkpoint_id=checkpoint.id,
            temperature=temperature,
            figures=figures(
                attempts,
                kinds={task.id: task.kind for task in tasks if task.id is not None},
                threshold=context.config.reward_threshold,
                k=context.config.eval_samples,
            ),
        )
        return queries.save_eval_result(session, result)
