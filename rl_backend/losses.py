"""Loss functions as verl calls them: `loss(model_output=..., data=..., dp_group=...)` gives (loss, figures).

Each is divided by the terms or tokens of the *global* batch, so micro-batches and ranks cannot move the sum. verl is
imported late, and only for the losses that are its own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from rl_backend.config import TrainConfig
from rl_backend.oapl import oapl_loss, segment_logratios

Loss = Callable[..., tuple[Tensor, Any]]


def loss_function(config: TrainConfig) -> Loss:
    """What verl's `set_loss_fn` takes, for the configured algorithm."""
    return functools.partial(_LOSSES[config.algorithm], config=config)


def _oapl(*, config: TrainConfig, model_output: dict[str, Tensor], data: Any, dp_group: Any) -> tuple[Tensor, Any]:
    """verl's loss protocol around `oapl.oapl_loss`; the mean is over the terms of the global batch."""
    logratio_S = _logratios(model_output, data)
    advantage_K, rollout_K, term_S = data["advantage"], data["rollout"], None
    if config.segment_loss == "per_rollout":
        rollout_K, term_S = torch.unique(data["rollout"], return_inverse=True)
        advantage_K = torch.zeros(len(rollout_K), device=term_S.device).scatter(0, term_S, data["advantage"])
    loss = oapl_loss(
        logratio_S,
        advantage_K,
        beta2=config.beta2,
        weight_K=(rollout_K >= 0).float(),
        term_S=term_S,
        denominator=data["loss_terms"] / data["dp_size"],
    ).loss
    return loss, _reported(logratio_S, model_output, data)


def _sft(*, config: TrainConfig, model_output: dict[str, Tensor], data: Any, dp_group: Any) -> tuple[Tensor, Any]:
    """verl's own SFT loss: mean negative log-likelihood over the trained tokens of the global batch."""
    from verl.workers.utils.losses import sft_loss

    loss, _ = sft_loss(None, model_output, data, dp_group)  # pyright: ignore[reportArgumentType] - config is unused
    return loss, _reported(_logratios(model_output, data), model_output, data)


_LOSSES = {"oapl": _oapl, "sft": _sft}


def _logratios(model_output: dict[str, Any], data: Any) -> Tensor:
    """L_s of each row. verl's log_probs are shifted left by one (t scores token t + 1), so the others shift too."""
    logp = model_output["log_probs"]
    ref_N, mask_N = (torch.roll(data[name].values(), -1) for name in ("ref_logprobs", "loss_mask"))
    return segment_logratios(logp.values(), ref_N, mask_N, lengths_S=logp.offsets().diff())


def _reported(logratio_S: Tensor, model_output: dict[str, Tensor], data: Any) -> dict[str, list[float]]:
    figures = {"logratio": logratio_S.detach().tolist(), "rollout": data["rollout"].tolist()}
    if "entropy" in model_output:
        trained_N = torch.roll(data["loss_mask"].values(), -1).bool()
        figures["entropy"] = [model_output["entropy"].detach().values()[trained_N].sum().item()]
    return figures
