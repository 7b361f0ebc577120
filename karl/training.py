"""The arrow from dataset to checkpoint: runs rl_backend off the event loop and stores its metrics as they come."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from karl.collect import Stopped
from karl.context import Context
from karl.epochs import EpochEvaluator, record_best, validation_tasks
from karl.policies import write_profile
from karl.training_record import Place, record_result, recorded
from store import queries
from store.models import Checkpoint, Dataset
from store.types import Algorithm

if TYPE_CHECKING:
    from rl_backend.config import TrainConfig
    from rl_backend.train import TrainResult


async def train(
    context: Context, number: int, dataset: Dataset, *, start: Checkpoint, algorithm: Algorithm
) -> Checkpoint:
    """Dataset -> checkpoint, with the loss of `algorithm`, from the weights of `start`. Raises: Stopped."""
    config = recipe_of(context, context.config.recipe, algorithm=algorithm)
    return await _checkpoint(context, number, dataset, start=start, config=config)


async def train_control(context: Context, number: int, dataset: Dataset, *, start: Checkpoint) -> Checkpoint:
    """SFT on the winners of a dataset that another policy sampled. Raises: Stopped."""
    # Comparing the control's weights with the engine's log-probs of another policy would mean nothing.
    config = recipe_of(context, context.config.sft_recipe, algorithm=Algorithm.SFT, drift_segments=0)
    return await _checkpoint(context, number, dataset, start=start, config=config)


def recipe_of(context: Context, recipe: str, *, algorithm: Algorithm, **overrides: Any) -> TrainConfig:
    """The recipe with what the run's settings say."""
    from rl_backend.config import load_recipe

    steps = context.config.train_steps
    if steps is not None:
        overrides |= {"max_steps": steps, "epochs": steps}  # an epoch has one step at least
    return load_recipe(recipe, algorithm=str(algorithm), seed=context.config.seed, **overrides)


async def _checkpoint(
    context: Context, number: int, dataset: Dataset, *, start: Checkpoint, config: TrainConfig
) -> Checkpoint:
    """Held already: returned as it is."""
    name = context.key(f"{config.algorithm}-{number}")
    with context.store.session() as session:
        held = [row for row in queries.checkpoints(session, run_id=context.run_id) if row.name == name]
    if held and Path(held[0].path).is_dir():
        return held[0]
    result = await train_checkpoint(context, number, dataset, start=start, config=config)
    if result.out is None:
        raise Stopped
    version = start.policy_version + 1
    write_profile(result.out, policy_version=version)
    with context.store.session() as session:
        return queries.save_checkpoint(
            session,
            Checkpoint(
                run_id=context.run_id,
                name=name,
                iteration=number,
                algorithm=Algorithm(config.algorithm),
                path=str(result.out),
                weights_sha256=result.weights_sha256,
                policy_version=version,
                dataset_id=dataset.id,
                parent_id=start.id,
            ),
        )


async def train_checkpoint(
    context: Context, number: int, dataset: Dataset, *, start: Checkpoint, config: TrainConfig
) -> TrainResult:
    """Train on a frozen dataset; metrics land in the series `<algorithm>-<iteration>`. Goes on where it was."""
    from rl_backend.hooks import Hooks
    from rl_backend.store_source import StoreSource
    from rl_backend.train import train as train_policy

    assert dataset.id is not None
    series = f"{config.algorithm}-{number}"
    place = Place(context.store, context.run_id, iteration=number, series=series)
    title = f"iteration {number}: training {series}"
    with recorded(place, title=title, reporter=context.reporter, checkpoint_steps=config.checkpoint_steps) as recorder:
        hooks = Hooks(
            on_start=recorder.start,
            on_drift=recorder.drift,
            on_step=recorder.step,
            should_stop=context.stop.is_set,
        )
        if tasks := validation_tasks(context, number):
            evaluator = EpochEvaluator(context, number, recorder=recorder, tasks=tasks)
            hooks = replace(hooks, evaluate=evaluator)
        source = StoreSource(context.store, dataset.id)
        out = context.folder / series

        def work() -> TrainResult:
            return train_policy(source, base=Path(start.path), out=out, config=config, hooks=hooks)

        result = await asyncio.to_thread(work)
    with context.store.session() as session:
        tokens = queries.token_check(session, dataset.id)
    record_result(place, result, tokens, reporter=context.reporter)
    record_best(place)
    return result
