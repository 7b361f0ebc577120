"""A training as data: what every rank needs to know to do its part."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from rl_backend.config import TrainConfig

if TYPE_CHECKING:
    from rl_backend.hooks import Hooks
    from rl_backend.result import TrainResult


class TrainJob(BaseModel, frozen=True, extra="forbid"):
    """Paths and the store must mean the same on every node."""

    store_url: str
    dataset_id: int
    left_out: tuple[int, ...] = ()
    "Ids of the dataset's groups that are not trained on."
    base: Path
    out: Path
    config: TrainConfig


def run_job(job: TrainJob, *, hooks: Hooks | None = None) -> TrainResult:
    """This rank's part of the training, with a store of its own. Raises: as `train.train` does."""
    from rl_backend.store_source import StoreSource
    from rl_backend.train import train
    from store.session import Store

    store = Store.open(job.store_url)
    try:
        source = StoreSource(store, job.dataset_id, left_out=job.left_out)
        return train(source, base=job.base, out=job.out, config=job.config, hooks=hooks)
    finally:
        store.close()
