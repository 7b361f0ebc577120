"""Loss functions as verl calls them: `loss(model_output=..., data=..., dp_group=...)` gives (loss, figures).

Each is divided by the terms or tokens of the *global* batch, so micro-batches and ranks cannot move the sum; figures
are sums for the same reason (`figures.step_figures` divides). verl is imported late, and only for the
losses that are its own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from rl_backend.config import TrainConfig
from rl_backend.oapl import oapl_loss, segment_logratios

if TYPE_CHECKING:
    from verl.workers.config import ActorConfig

Loss = Callable[..., tuple[Tensor, Any]]


def loss_function(config: TrainConfig) -> Loss:
    """What verl's `set_loss_fn` takes, for the configured algorithm."""
    if config.algorithm == "grpo":
        return functools.partial(_grpo, actor=_actor_config(config))
    return functools.partial({"oapl": _oapl, "sft": _sft}[config.algorithm], config=config)


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


def _grpo(*, actor: ActorConfig, model_output: dict[str, Tensor], data: Any, dp_group: Any) -> tuple[Tensor, Any]:
    """verl's own `ppo_loss`: the clipped surrogate, a mean over the trained tokens of the global batch.

    The reference's log-probs are the old policy's and, for the KL, pi_ref's: over an offline dataset they are one.
    """
    from verl.workers.utils.losses import ppo_loss

    figures = _reported(_logratios(model_output, data), model_output, data)
    loss, raw = ppo_loss(actor, model_output, _ppo_data(data), dp_group)
    trained = float(data["loss_mask"].values().sum())
    # verl's shares are means over the micro-batch's tokens.
    figures["clipped_tokens"] = [raw["actor/pg_clipfrac"].aggregate() * trained]
    figures["dual_clipped_tokens"] = [raw["actor/pg_clipfrac_lower"].aggregate() * trained]
    return loss, figures


def _actor_config(config: TrainConfig) -> ActorConfig:
    from verl.workers.config import ActorConfig

    return ActorConfig(
        strategy="fsdp2",
        rollout_n=1,  # verl asks for it and for the micro-batch; its loss reads neither
        ppo_micro_batch_size_per_gpu=1,
        clip_ratio_low=config.clip_low,
        clip_ratio_high=config.clip_high,
        clip_ratio_c=config.clip_dual,
        loss_agg_mode="token-mean",
        use_kl_loss=config.kl_coef > 0,
        kl_loss_coef=config.kl_coef,
        kl_loss_type="low_var_kl",
    )


def _ppo_data(data: Any) -> Any:
    """The fields of verl's `ppo_loss`. Each row is a prompt of one token and a response whose mask says what trains."""
    from verl.utils.tensordict_utils import get_tensordict

    offsets = data["input_ids"].offsets()
    ids, mask, old = (_response(data[name], offsets) for name in ("input_ids", "loss_mask", "ref_logprobs"))
    size = (len(ids.offsets()) - 1, max(1, int(ids.offsets().diff().max())))  # a micro-batch may be padding alone
    mask_ST, old_ST = (torch.nested.to_padded_tensor(nested, 0.0, output_size=size) for nested in (mask, old))
    tensors = {
        "prompts": torch.nested.nested_tensor_from_jagged(
            torch.ones_like(offsets[1:]), torch.arange(len(offsets), device=offsets.device)
        ),
        "responses": ids,
        "response_mask": mask_ST,
        "old_log_probs": old_ST,
        "ref_log_prob": old_ST,
        "advantages": data["advantage"][:, None].expand_as(old_ST),
    }
    sizes = {"dp_size": data["dp_size"], "batch_num_tokens": data["batch_num_tokens"]}
    return get_tensordict(tensors, {**sizes, "global_batch_size": data["loss_terms"], "max_response_len": size[1]})


def _response(nested: Any, offsets: Tensor) -> Any:
    """Every row without its first token."""
    kept_N = torch.ones(len(nested.values()), dtype=torch.bool, device=offsets.device)
    kept_N[offsets[:-1]] = False
    shorter = offsets - torch.arange(len(offsets), device=offsets.device)
    return torch.nested.nested_tensor_from_jagged(nested.values()[kept_N], shorter)


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
