"""The arrow from dataset to checkpoint: runs rl_backend off the event loop and stores its metrics as they come."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from karl.collect import Stopped
from karl.context import Context
from karl.epochs import EpochEvaluator, idle_limits, record_best, validation_tasks
from karl.policies import write_profile
from karl.training_record import Place, Recorder, record_result, recorded
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
    row = Checkpoint(
        run_id=context.run_id,
        name=name,
        iteration=number,
        algorithm=Algorithm(config.algorithm),
        path=str(context.folder / f"{config.algorithm}-{number}"),
        policy_version=start.policy_version + 1,
        dataset_id=dataset.id,
        parent_id=start.id,
    )
    await _train_checkpoint(context, row, dataset, base=Path(start.path), config=config)
    with context.store.session() as session:
        return queries.checkpoint_by_name(session, name)


async def _train_checkpoint(
    context: Context, row: Checkpoint, dataset: Dataset, *, base: Path, config: TrainConfig
) -> None:
    """Train on a frozen dataset and store `row`; metrics land in the series `<algorithm>-<iteration>`.

    Goes on where it was. Raises: Stopped.
    """
    from rl_backend.hooks import Hooks
    from rl_backend.store_source import StoreSource
    from rl_backend.train import train as train_policy

    assert dataset.id is not None
    number, out = row.iteration, Path(row.path)
    place = Place(context.store, context.run_id, iteration=number, series=out.name)
    title = f"iteration {number}: training {out.name}"
    with recorded(place, title=title, reporter=context.reporter, checkpoint_steps=config.checkpoint_steps) as recorder:
        hooks = Hooks(
            on_start=recorder.start,
            on_drift=recorder.drift,
            on_step=recorder.step,
            should_stop=context.stop.is_set,
            stamp=partial(write_profile, policy_version=row.policy_version),
            record=partial(_record, recorder, row),
        )
        if tasks := validation_tasks(context, number):
            evaluator = EpochEvaluator(context, number, recorder=recorder, tasks=tasks)
            hooks = replace(hooks, evaluate=evaluator)
        elif idle := idle_limits(config):
            context.reporter.say(
                f"{out.name}: the recipe has {idle}: without validation_questions nothing is evaluated"
            )
        source = StoreSource(context.store, dataset.id)

        def work() -> TrainResult:
            return train_policy(source, base=base, out=out, config=config, hooks=hooks)

        result = await asyncio.to_thread(work)
    if result.stopped:
        raise Stopped


def _record(recorder: Recorder, row: Checkpoint, result: TrainResult) -> None:
    """The row last of all: a run that is killed before it leaves a training that the next one records."""
    assert row.dataset_id is not None
    recorder.flush()
    place = recorder.place
    with place.store.session() as session:
        tokens = queries.token_check(session, row.dataset_id)
    record_result(place, result, tokens, reporter=recorder.reporter)
    record_best(place)
    row.weights_sha256 = result.weights_sha256
    with place.store.session() as session:
        queries.save_checkpoint(session, row)
