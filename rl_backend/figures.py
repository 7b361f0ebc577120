"""The figures of one optimiser step, from what the loss reported on every rank: the same whatever the micro-batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rl_backend.batch import Batch
from rl_backend.config import TrainConfig
from rl_backend.oapl import policy_metrics, residual_metrics

# Sums over trained tokens, told as means.
PER_TOKEN = {"entropy": "entropy", "clipped_tokens": "clip_fraction", "dual_clipped_tokens": "clip_fraction_dual"}


def step_figures(reported: Mapping[str, Any], batch: Batch, *, config: TrainConfig) -> dict[str, float]:
    """`reported`: one list per data-parallel rank, micro-batches in order; segments of a rollout are summed here."""
    tokens = batch.trained_token_count
    logratio_S, rollout_S = (_joined(reported[name]) for name in ("logratio", "rollout"))
    logratio_S, rollout_S = logratio_S[rollout_S >= 0], rollout_S[rollout_S >= 0]
    advantage_R, reward_R = (torch.from_numpy(column).double() for column in (batch.advantage_R, batch.reward_R))
    logratio_R = torch.zeros_like(advantage_R).index_add(0, rollout_S, logratio_S)
    figures = policy_metrics(logratio_R, advantage_R, reward_R, token_count=tokens)
    if config.algorithm == "oapl":
        whole = config.segment_loss == "per_rollout"
        logratio_K, advantage_K = (logratio_R, advantage_R) if whole else (logratio_S, advantage_R[rollout_S])
        figures |= residual_metrics(config.beta2 * logratio_K - advantage_K, advantage_K)
    sums = {shown: name for name, shown in PER_TOKEN.items() if name in reported}
    return figures | {shown: float(np.sum(reported[name])) / tokens for shown, name in sums.items()}


def _joined(ranks: Any) -> Tensor:
    return torch.from_numpy(np.concatenate([np.asarray(rank) for rank in ranks]))
