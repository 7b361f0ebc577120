"""The batch that broke a training, kept for whoever looks into it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rl_backend.batch import Batch
from rl_backend.ranks import rank


def save_offending(folder: Path, step: int, batch: Batch) -> Path:
    """Ids, masks and log-probs of all rows end to end, with `lengths`, `rollout` and `advantage` per row (npz)."""
    path = folder / f"offending-{step:06d}.npz"
    if rank() == 0:
        folder.mkdir(parents=True, exist_ok=True)
        rows = [row for row in batch.rows if row.rollout >= 0]
        np.savez_compressed(
            path,
            token_ids=np.concatenate([row.segment.token_ids for row in rows]),
            loss_mask=np.concatenate([row.segment.loss_mask for row in rows]),
            logprobs=np.concatenate([row.segment.logprobs for row in rows]),
            lengths=np.array([len(row.segment.token_ids) for row in rows]),
            rollout=np.array([row.rollout for row in rows]),
            advantage=np.array([row.advantage for row in rows]),
        )
    return path
