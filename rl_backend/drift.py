"""How far the trainer's log-probs are from those the engine recorded, before the first step; and whose are pi_ref."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rl_backend.config import TrainConfig
from rl_backend.ranks import barrier, from_first, rank
from rl_backend.reference import Reference, write_reference
from rl_backend.rollouts import TrainingSegment
from store.errors import KarlError

if TYPE_CHECKING:
    from rl_backend.loader import Loader
    from rl_backend.training_state import Progress
    from rl_backend.verl_adapter import Trainer

logger = logging.getLogger(__name__)

REFERENCE = "reference.f32"
ROLLOUTS_AT_ONCE = 64


class Drift(NamedTuple):
    """|engine's recorded log-prob - trainer's| over trained tokens, same weights, before the first step; in nats."""

    mean: float
    max: float
    tokens: int


def settle_reference(
    trainer: Trainer, loader: Loader, progress: Progress, *, config: TrainConfig, folder: Path
) -> None:
    """Measure drift, and with `reference = "trainer"` put the frozen weights' log-probs in place of the engine's.

    Both happen with the weights at the start: a resumed training has them behind it, and reads the file again.
    Raises: KarlError where that is gone.
    """
    if progress.steps == 0:
        segments = loader.sample(config.drift_segments, seed=config.seed)
        progress.drift = measure_drift(trainer, segments, warning=config.drift_warning)
    if config.reference == "trainer":
        path = folder / REFERENCE
        # Rank 0 looks: on a shared disk the others may not see the file yet, and all must do the same.
        if not from_first(path.is_file()):
            _check_unmoved(progress, path)
            _compute(trainer, loader, path)
        loader.reference = Reference(path, loader.index.entries)


def _check_unmoved(progress: Progress, path: Path) -> None:
    if progress.steps:
        raise KarlError(
            f"{path}: the log-probs of the reference are gone, and the weights have moved since step 0, so that they "
            f"can't be computed again. Put the file back, or remove {path.parent} to start the training over"
        )


def measure_drift(trainer: Trainer, segments: Sequence[TrainingSegment], *, warning: float) -> Drift | None:
    """Compare recorded and recomputed log-probs; None for no segments. Warns when the mean is above `warning` nats."""
    if not segments:
        return None
    gaps = [
        np.abs(ours - segment.logprobs)[segment.loss_mask.astype(bool)]
        for ours, segment in zip(trainer.logprobs(segments), segments, strict=True)
    ]
    all_gaps = np.concatenate(gaps)
    drift = Drift(mean=float(all_gaps.mean()), max=float(all_gaps.max()), tokens=len(all_gaps))
    if not drift.mean < warning:
        logger.warning(
            "recorded and recomputed log-probs differ by %.2g nats a token: other weights or dtype?", drift.mean
        )
    return drift


def _compute(trainer: Trainer, loader: Loader, path: Path) -> None:
    """Every rank computes (the batches are split between them), rank 0 writes."""
    fresh = _fresh(trainer, loader)
    if rank() == 0:
        write_reference(path, fresh)
    else:
        for _ in fresh:
            continue
    barrier()


def _fresh(trainer: Trainer, loader: Loader) -> Iterator[NDArray[np.float32]]:
    positions = range(len(loader.index.entries))
    for start in range(0, len(positions), ROLLOUTS_AT_ONCE):
        examples = loader.examples(positions[start : start + ROLLOUTS_AT_ONCE])
        yield from trainer.logprobs([segment for example in examples for segment in example.segments])
