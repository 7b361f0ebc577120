"""Between epochs: the weights so far, on questions that are not trained on.

The questions were kept by the filters like the others; their groups are left out of the dataset. A run's held-out
questions have no part in this: what is chosen by a figure cannot be measured by it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphs.state import RolloutInputs
from karl.collect import Unit
from karl.context import Context
from karl.training_record import Place, Recorder
from store import queries
from store.errors import KarlError
from store.models import Task
from store.queries import RolloutLinks
from store.types import Fate, Purpose, RolloutStatus

if TYPE_CHECKING:
    from rl_backend.config import TrainConfig
    from rl_backend.hooks import Evaluation

# Of a recipe: nothing looks at them where nothing is evaluated.
LIMITS = ("patience", "max_unfinished")
# Metrics of the training's series.
REWARD, UNFINISHED, BEST = "validation_reward", "validation_unfinished", "validation_best"


def validation_tasks(context: Context, number: int) -> list[Task]:
    """Drawn by the seed from the iteration's kept questions; never more than half of them."""
    with context.store.session() as session:
        kept = queries.tasks_by_fate(session, context.run_id, fates=Fate.KEPT, iteration=number)
    return drawn(kept, context.config.validation_questions, seed=context.config.seed, number=number)


def drawn(tasks: Iterable[Task], count: int, *, seed: int, number: int) -> list[Task]:
    """`count` of them, the same for the same seed and iteration; at most half, so that more are trained on."""
    ordered = sorted(tasks, key=lambda task: task.key)
    return random.Random(f"{seed}:{number}:validation").sample(ordered, min(count, len(ordered) // 2))


def idle_limits(config: TrainConfig) -> str:
    """The limits that a recipe sets, and that need evaluations; "" for those that it only has by default."""
    values = {key: getattr(config, key) for key in LIMITS if key in config.model_fields_set}
    return " and ".join(f"{key} = {value:g}" for key, value in values.items() if value is not None)


def epoch_figures(place: Place) -> dict[str, Any]:
    """The rewards by step, and the step whose weights became the checkpoint: of equal ones the first."""
    with place.store.session() as session:
        rewards = dict(queries.series(session, place.run_id, series=place.series, name=REWARD))
    return {"rewards": rewards, "best_step": max(rewards, key=lambda step: (rewards[step], -step), default=None)}


def record_best(place: Place) -> None:
    """The reward of the epoch whose weights became the checkpoint, as a metric of step 0; none where none was found."""
    found = epoch_figures(place)
    if found["best_step"] is not None:
        place.write([(0, BEST, found["rewards"][found["best_step"]])])


class EpochEvaluator:
    """The hook `evaluate` of a training. Called in the training's thread; the rollouts run on the loop's."""

    def __init__(self, context: Context, number: int, *, recorder: Recorder, tasks: Sequence[Task]) -> None:
        self._context, self._number, self._tasks = context, number, tasks
        self._recorder, self._place = recorder, recorder.place
        self._loop = asyncio.get_running_loop()

    def __call__(self, epoch: int, step: int, folder: Path) -> Evaluation:
        """Raises: Stopped when asked to stop: the state is saved, and a resumed training evaluates this epoch again."""
        self._recorder.flush()
        return asyncio.run_coroutine_threadsafe(self._evaluate(epoch, step, folder), self._loop).result()

    async def _evaluate(self, epoch: int, step: int, folder: Path) -> Evaluation:
        from rl_backend.checkpoint import weights_sha256
        from rl_backend.hooks import Evaluation

        context = self._context
        # A training that began anew with other settings has other weights at the same step: their rollouts are its own.
        arm = f"{self._place.series}/step-{step}/{weights_sha256(folder)[:8]}"
        units = self._units(arm)
        async with context.policy(folder) as policy:
            runner = context.runner("solve", policy, context.searcher)
            with context.reporter.stage(f"{self._place.series}: validating step {step}", len(units)) as progress:
                collector = context.collector(context.corpus)
                await collector.collect(units, runner=runner, run_id=context.run_id, progress=progress)
        found = Evaluation(*self._figures(arm))
        self._place.write([(step, REWARD, found.score), (step, UNFINISHED, found.unfinished)])
        context.reporter.say(
            f"{self._place.series}: reward {found.score:.3f} on {len(self._tasks)} validation questions at step "
            f"{step}, in epoch {epoch + 1}; {found.unfinished:.1%} unfinished"
        )
        return found

    def _units(self, arm: str) -> list[Unit]:
        return [
            Unit(
                key=f"{task.key}/validate/{arm}/{attempt}",
                inputs=RolloutInputs(question=task.question),
                links=RolloutLinks(
                    run_id=self._context.run_id, iteration=self._number, task_id=task.id, arm=arm, attempt=attempt
                ),
                purpose=Purpose.EVALUATE,
                nuggets=tuple(task.nuggets or [task.answer]),
            )
            for task in self._tasks
            for attempt in range(self._context.config.validation_samples)
        ]

    def _figures(self, arm: str) -> tuple[float, float]:
        """(share correct, share unfinished), as rewards are in a dataset: 1 from the threshold on."""
        with self._context.store.session() as session:
            attempts = queries.attempts_of_arm(session, self._context.run_id, arm=arm)
        scored = [row for rows in attempts.values() for row in rows if row.reward is not None]
        if not scored:
            raise KarlError(f"{arm}: no rollout of the validation questions was scored; `karl show` counts the reasons")
        correct = sum(row.reward >= self._context.config.reward_threshold for row in scored)
        unfinished = sum(row.status is RolloutStatus.UNFINISHED for row in scored)
        return correct / len(scored), unfinished / len(scored)
