"""Is the loss that verl computes the equation? A dataset frozen in a store, one optimiser step, against float64."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from karl.benches.train_store import Shape, bench_store, frozen_dataset
from store import queries

if TYPE_CHECKING:
    from rl_backend.rollouts import RolloutLike
    from store.session import Store

SEGMENT_LOSSES: tuple[Literal["per_segment", "per_rollout"], ...] = ("per_segment", "per_rollout")
DATASET = Shape(groups=8, group_size=5, segments=(1, 3), tokens=(24, 200))
# How far the policy that sampled lies from the one that trains: nats per token, drawn.
LAG = 0.2


def exactness(*, seed: int) -> dict[str, Any]:
    """Per kind of loss: verl's float32 loss, the float64 one, and their relative distance.

    `equations`: the same float32 log-probs in both; `whole`: the float64 side computes the model in float64 as well.
    """
    from rl_backend.random_model import TOY, write_random_model

    with TemporaryDirectory(prefix="karl-bench-") as folder, bench_store() as store:
        base = Path(folder) / "base"
        write_random_model(base, TOY, seed=seed)
        dataset_id = frozen_dataset(store, DATASET, name="exactness", seed=seed, logprobs=_lagged(base, seed=seed))
        return {loss: _one(store, dataset_id, base, segment_loss=loss) for loss in SEGMENT_LOSSES}


def _lagged(base: Path, *, seed: int) -> Any:
    """What an engine would have recorded that ran a policy `LAG` nats a token away."""
    from rl_backend.exact_model import ExactModel

    model, draw = ExactModel(base), np.random.default_rng([seed, 1])

    def recorded(ids_T: NDArray[np.int32]) -> NDArray[np.float64]:
        return model.logprobs(ids_T) + draw.normal(0.0, LAG, len(ids_T))

    return recorded


def _one(
    store: Store, dataset_id: int, base: Path, *, segment_loss: Literal["per_segment", "per_rollout"]
) -> dict[str, float]:
    from rl_backend.config import TrainConfig
    from rl_backend.exact import exact_logprobs, exact_loss
    from rl_backend.index import build_index
    from rl_backend.loader import Loader
    from rl_backend.plan import Plan
    from rl_backend.store_source import StoreSource
    from rl_backend.verl_adapter import Trainer

    size = DATASET.groups * DATASET.group_size
    config = TrainConfig(segment_loss=segment_loss, batch_rollouts=size, micro_batch_tokens=1024, epochs=1)
    source = StoreSource(store, dataset_id)
    index = build_index(source, config=config)
    ((_, batch),) = Loader(source, index, config=config).batches(Plan(index.entries, config=config))
    rollouts = _rollouts(store, dataset_id)
    trainer = Trainer(base, config=config, total_steps=1)
    try:
        flat = iter(trainer.logprobs([_training(segment) for rollout in rollouts for segment in rollout.segments]))
        measured = trainer.train_step(batch)["loss"]
    finally:
        trainer.close()
    same = [[next(flat) for _ in rollout.segments] for rollout in rollouts]
    settings = {"beta1": config.beta1, "beta2": config.beta2, "segment_loss": segment_loss}
    equations = exact_loss(rollouts, same, **settings)
    whole = exact_loss(rollouts, exact_logprobs(base, rollouts), **settings)
    return {
        "loss": measured,
        "float64": whole,
        "equations_relative_error": abs(measured / equations - 1),
        "whole_relative_error": abs(measured / whole - 1),
        "terms": batch.segment_count if segment_loss == "per_segment" else size,
        "trained_tokens": batch.trained_token_count,
    }


def _rollouts(store: Store, dataset_id: int) -> list[RolloutLike]:
    """Straight from the store, past index, plan and loader."""
    with store.session() as session:
        return [row for group in queries.dataset_groups(session, dataset_id) for row in group.rows]


def _training(segment: Any) -> Any:
    from rl_backend.rollouts import TrainingSegment

    return TrainingSegment(segment.token_ids, segment.loss_mask, segment.logprobs)
