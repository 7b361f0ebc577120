"""The batch that broke a training, kept for whoever looks into it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rl_backend.batch import Batch
from rl_backend.checkpoint import atomic_file
from rl_backend.ranks import from_first, rank


def keep_offending(folder: Path, step: int, batch: Batch) -> str:
    """Where the batch is kept, or why it is not, as a sentence; the same on every rank.

    No rank goes on before rank 0 has written: the first that fails has the others ended. What broke the training is
    the news, not that the disk has no room for its batch.
    """
    return from_first(_kept(folder / f"offending-{step:06d}.npz", batch) if rank() == 0 else "")


def _kept(path: Path, batch: Batch) -> str:
    try:
        _write(path, batch)
    except OSError as exc:
        return f"The batch of that step could not be kept: {exc}"
    return f"The batch of that step is in {path}"


def _write(path: Path, batch: Batch) -> None:
    """Ids, masks and log-probs of all rows end to end, with `lengths`, `rollout` and `advantage` per row (npz)."""
    rows = [row for row in batch.rows if row.rollout >= 0]
    with atomic_file(path) as stream:
        np.savez_compressed(
            stream,
            token_ids=np.concatenate([row.segment.token_ids for row in rows]),
            loss_mask=np.concatenate([row.segment.loss_mask for row in rows]),
            logprobs=np.concatenate([row.segment.logprobs for row in rows]),
            lengths=np.array([len(row.segment.token_ids) for row in rows]),
            rollout=np.array([row.rollout for row in rows]),
            advantage=np.array([row.advantage for row in rows]),
        )
