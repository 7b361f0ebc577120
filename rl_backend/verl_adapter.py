"""The seam to verl: a `Trainer` over verl's own `TrainingWorker`, in process, on the CPU or on CUDA.

verl is imported late, by this package alone: it takes seconds to load.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rl_backend import losses, ranks, verl_runtime
from rl_backend.batch import Batch, MicroBatch, Row, pack_rows, share
from rl_backend.checkpoint import check_model_folder, copy_companions, write_config
from rl_backend.config import TrainConfig
from rl_backend.figures import step_figures
from rl_backend.micro_batch import closed
from rl_backend.rollouts import TrainingSegment

# Segments per call of `logprobs`: bounds what verl holds at once, whatever the size of the dataset.
INFER_SEGMENTS = 1024


class Trainer:
    """One policy in training. Not thread-safe; `close` gives its memory back, and another may follow in the process.

    Raises UsageError for a missing or corrupt `base`.
    """

    def __init__(self, base: Path, *, config: TrainConfig, total_steps: int) -> None:
        check_model_folder(base)
        self.base = base
        self.config = config
        self._worker = verl_runtime.make_worker(base, config=config, total_steps=total_steps)
        self._worker.set_loss_fn(losses.loss_function(config))

    @property
    def data_ranks(self) -> int:
        """How many ranks share the rows of a batch: all of them, but for those that share a sequence."""
        return self._worker.engine.get_data_parallel_size()

    def train_step(self, batch: Batch) -> dict[str, float]:
        """One optimiser step on the whole batch; figures of the reference, loss, gradient norm and learning rate.

        Every rank is given the same batch, works on its share, and returns the same figures.
        """
        learning_rate = self._worker.engine.lr_scheduler.get_last_lr()[0]
        own = batch.share(self._worker.engine.get_data_parallel_rank())
        data = self._tensors(own, loss_terms=self._term_count(batch))
        with verl_runtime.quiet():
            output = self._worker.train_batch(data)
        if output is None:  # a rank that only shares sequences; rank 0 never is
            return ranks.from_first({})
        raw = output["metrics"]
        figures = {"loss": raw["loss"], "grad_norm": raw["grad_norm"], "lr": learning_rate}
        return ranks.from_first({**figures, **step_figures(raw, batch, config=self.config)})

    def logprobs(self, segments: Sequence[TrainingSegment]) -> list[NDArray[np.float32]]:
        """ln pi(y_t) of the current weights: float32 (T,) per segment, aligned with its tokens, 0 where masked."""
        found: list[NDArray[np.float32]] = []
        for start in range(0, len(segments), INFER_SEGMENTS):
            found += self._infer(segments[start : start + INFER_SEGMENTS])
        return found

    def save(self, path: Path) -> None:
        """Write a Hugging Face folder at `path`, all or nothing. Raises KarlError when the disk is full."""
        with ranks.shared_folder(path) as aside:
            self.save_into(aside)

    def save_into(self, folder: Path) -> None:
        """Weights, configuration, tokenizer and policy profile into an existing folder: what `save` writes."""
        verl_runtime.save_weights(self._worker, folder)
        if ranks.rank() == 0:
            copy_companions(self.base, folder)
            write_config(self.base, folder, dtype=verl_runtime.weights_dtype(self._worker))

    def save_state(self, folder: Path) -> None:
        """Weights, optimiser, schedule and random state as verl shards them, to go on from exactly."""
        verl_runtime.save_state(self._worker, folder)

    def load_state(self, folder: Path) -> None:
        """Go on from a `save_state` of as many ranks."""
        verl_runtime.load_state(self._worker, folder)

    def close(self) -> None:
        """Drop model, gradients and optimiser state. The worker's own references are cyclic, hence the collection."""
        self.__dict__.pop("_worker", None)
        gc.collect()

    def _infer(self, segments: Sequence[TrainingSegment]) -> list[NDArray[np.float32]]:
        units = [[Row(segment, position, 0.0)] for position, segment in enumerate(segments)]
        packed = pack_rows(units, config=self.config, ranks=self.data_ranks)
        own = share(packed, rank=self._worker.engine.get_data_parallel_rank(), ranks=self.data_ranks)
        data = self._tensors(own, loss_terms=1, compute_loss=False)
        with verl_runtime.quiet():
            output = self._worker.infer_batch(data)
        found: dict[int, NDArray[np.float32]] = {}
        if output is not None:
            rows, values = [row for rows in own for row in rows], output["log_probs"].unbind()
            found = {row.rollout: value.float().numpy() for row, value in zip(rows, values, strict=True)}
        by_position = {at: value for part in ranks.from_all(found) for at, value in part.items()}
        return [_aligned(by_position[i], segment.loss_mask) for i, segment in enumerate(segments)]

    def _tensors(self, micro_batches: Sequence[MicroBatch], *, loss_terms: int, compute_loss: bool = True) -> Any:
        settings = {
            "loss_terms": loss_terms,
            "compute_loss": compute_loss,
            "calculate_entropy": self.config.log_entropy and compute_loss,
            "temperature": 1.0,
            "update_lr_scheduler": compute_loss,
        }
        return closed(micro_batches, settings)

    def _term_count(self, batch: Batch) -> int:
        if self.config.segment_loss == "per_rollout":
            return len(batch.advantage_R)
        return batch.segment_count


def _aligned(shifted: NDArray[np.float32], mask: NDArray[np.uint8]) -> NDArray[np.float32]:
    """From verl's shift (t scores t + 1) to ours (t scores t)."""
    return np.where(mask.astype(bool), np.roll(shifted, 1), 0.0).astype(np.float32)
