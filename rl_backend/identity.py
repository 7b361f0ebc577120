"""What makes two trainings the same one: their data, their base, the settings that move a weight, their processes."""

from __future__ import annotations

import hashlib
from pathlib import Path

from rl_backend.checkpoint import weights_sha256
from rl_backend.index import TrainingIndex
from rl_backend.ranks import from_first, rank, world

# Settings of `TrainConfig` that say how a training runs, what it measures and when it is given up, not what it
# computes: another value does not void a saved state.
FREE = {
    "checkpoint_steps",
    "keep_checkpoints",
    "drift_segments",
    "drift_warning",
    "patience",
    "max_unfinished",
    "collapse_nats",
    "collapse_losers_nats",
    "log_entropy",
    "threads",
    "trackers",
}


def identity_of(index: TrainingIndex, *, base: Path, settings: str) -> dict[str, str]:
    """By name, for messages; the same on every rank. Rank 0 alone reads the base: its weights may be many gigabytes."""
    return {
        "dataset": index.sha256(),
        "base checkpoint": from_first(weights_sha256(base) if rank() == 0 else ""),
        "configuration": hashlib.sha256(settings.encode()).hexdigest(),
        "number of processes": str(world()),
    }
