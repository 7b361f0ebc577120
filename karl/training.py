"""The arrow from dataset to checkpoint: runs rl_backend off the event loop and stores its metrics as they come."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from karl.collect import Stopped
from karl.context import Context
from karl.policies import write_profile
from karl.training_record import Place, record_result, recorded
from store import queries
from store.models import Checkpoint, Dataset
from store.types import Algorithm

if TYPE_CHECKING:
    from rl_backend.train import TrainResult


async def train_checkpoint(
    context: Context, number: int, dataset: Dataset, *, start: Checkpoint, algorithm: Algorithm
) -> TrainResult:
    """Train on a frozen dataset; metrics land in the series `<algorithm>-<iteration>`."""
    from rl_backend.config import load_recipe
    from rl_backend.hooks import Hooks
    from rl_backend.store_source import StoreSource
    from rl_backend.train import train as train_policy

    series = f"{algorithm}-{number}"
    # The SFT control did not sample this data: comparing its weights with the engine's log-probs would mean nothing.
    unmeasured = {"drift_segments": 0} if algorithm is Algorithm.SFT else {}
    recipe = context.config.sft_recipe if algorithm is Algorithm.SFT else context.config.recipe
    config = load_recipe(recipe, algorithm=str(algorithm), seed=context.config.seed, **unmeasured)
    assert dataset.id is not None
    place = Place(context.store, context.run_id, iteration=number, series=series)
    with recorded(place, title=f"iteration {number}: training {series}", reporter=context.reporter) as recorder:
        hooks = Hooks(on_start=recorder.start, on_step=recorder.step, should_stop=context.stop.is_set)
        source = StoreSource(context.store, dataset.id)
        out = context.folder / series

        def work() -> TrainResult:
            return train_policy(source, base=Path(start.path), out=out, config=config, hooks=hooks)

        result = await asyncio.to_thread(work)
    with context.store.session() as session:
        tokens = queries.token_check(session, dataset.id)
    record_result(place, result, tokens, reporter=context.reporter)
    return result


async def train(
    context: Context, number: int, dataset: Dataset, *, start: Checkpoint, algorithm: Algorithm
) -> Checkpoint:
    """Dataset -> checkpoint, with the loss of `algorithm`, from the weights of `start`. Raises: Stopped."""
    name = context.key(f"{algorithm}-{number}")
    with context.store.session() as session:
        held = [row for row in queries.checkpoints(session, run_id=context.run_id) if row.name == name]
    if held and Path(held[0].path).is_dir():
        return held[0]
    result = await train_checkpoint(context, number, dataset, start=start, algorithm=algorithm)
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
                algorithm=algorithm,
                path=str(result.out),
                weights_sha256=result.weights_sha256,
                policy_version=version,
                dataset_id=dataset.id,
                parent_id=start.id,
            ),
        )
