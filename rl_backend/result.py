"""What a training did, for the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rl_backend.drift import Drift


@dataclass(frozen=True, slots=True)
class TrainResult:
    """`out` is None when the training was stopped: then no checkpoint was written, and the state to go on from was.

    tokens: all tokens of the segments seen, every epoch; seconds: the optimiser steps alone; setup_seconds: the rest,
    of this process. tokens_by_kind: training tokens of every task in the first epoch, after balancing.
    metrics: means over the last tenth of the steps (at least one).
    """

    steps: int
    planned_steps: int
    tokens: int
    trained_tokens: int
    seconds: float
    setup_seconds: float
    groups: int
    rollouts: int
    segments: int
    dropped_segments: int
    dropped_rollouts: int
    tokens_by_kind: dict[str, int]
    drift: Drift | None
    metrics: dict[str, float]
    out: Path | None
    weights_sha256: str
    stopped: bool

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / self.seconds if self.seconds else 0.0


def closing_means(closing: Sequence[dict[str, float]]) -> dict[str, float]:
    """The mean of every figure over those of the closing steps that have it."""
    names = {name: None for figures in closing for name in figures}
    return {name: float(np.mean([figures[name] for figures in closing if name in figures])) for name in names}
