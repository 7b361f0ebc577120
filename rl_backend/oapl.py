"""OAPL as pure torch functions: optimal value, advantage, loss, metrics. No verl, no I/O.

Source: Ritter et al., "LLMs Can Learn to Reason Via Off-Policy RL" (arXiv 2602.19362) and KARL (arXiv 2603.05218).
Shape suffixes: _G rollouts of one group, _N tokens of all segments laid end to end, _S segments, _K loss terms
(segments, or rollouts where segments are summed first), _R rollouts of one optimiser step.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

# Reference: "exp of the log-ratio clipped at 5": one lucky rollout must not carry the whole estimate.
MAX_IMPORTANCE_WEIGHT = 5.0


class LossOutput(NamedTuple):
    """loss: scalar; residual_K: beta2 * log-ratio - advantage, one per loss term."""

    loss: Tensor
    residual_K: Tensor


def optimal_value(rewards_G: Tensor, *, beta1: float) -> Tensor:
    """V = beta1 * ln((1/G) * sum_i exp(r_i / beta1)), a scalar in units of reward.

    Tends to max(r) for beta1 -> 0 and to mean(r) for beta1 -> inf; finite in float32 for any beta1.
    Raises ValueError for an empty group or a beta1 that is not positive.
    """
    if rewards_G.ndim != 1 or rewards_G.numel() == 0:
        raise ValueError(f"rewards of one group are a vector of at least one, got shape {tuple(rewards_G.shape)}")
    if not beta1 > 0:
        raise ValueError(f"beta1 must be positive, got {beta1}")
    # The largest reward goes first, so a small beta1 cannot overflow; expm1, log1p keep the digits of a large one.
    top = rewards_G.max()
    return top + beta1 * torch.log1p(torch.expm1((rewards_G - top) / beta1).mean())


def advantages(rewards_G: Tensor, *, beta1: float) -> Tensor:
    """A_i = r_i - V(group), shape (G,). Not divided by a standard deviation."""
    return rewards_G - optimal_value(rewards_G, beta1=beta1)


def segment_logratios(logp_N: Tensor, ref_N: Tensor, mask_N: Tensor, *, lengths_S: Tensor) -> Tensor:
    """L_s = sum_t m_t * (ln pi(y_t) - ln pi_ref(y_t)), shape (S,), in nats: a sum over the segment, never a mean."""
    segment_N = torch.repeat_interleave(torch.arange(len(lengths_S), device=logp_N.device), lengths_S)
    # where, not a product: a padded or prompt position may hold anything, and 0 * inf is NaN.
    ratio_N = torch.where(mask_N.bool(), logp_N - ref_N, torch.zeros_like(logp_N))
    return ratio_N.new_zeros(len(lengths_S)).index_add(0, segment_N, ratio_N)


def oapl_loss(
    logratio_S: Tensor,
    advantage_K: Tensor,
    *,
    beta2: float,
    weight_K: Tensor | None = None,
    term_S: Tensor | None = None,
    denominator: float | None = None,
) -> LossOutput:
    """loss = (1/D) * sum_k w_k * (beta2 * L_k - A_k)^2.

    per_segment: `term_S` is None and L_k is the segment's own log-ratio, as the paper squares.
    per_rollout: `term_S` names each segment's rollout and L_k is the sum over that rollout's segments.
    weight_K is 1 for a real term and 0 for padding; D defaults to sum(w), and is the global number of terms when the
    batch is split over micro-batches or ranks.
    """
    logratio_K = logratio_S if term_S is None else torch.zeros_like(advantage_K).index_add(0, term_S, logratio_S)
    residual_K = beta2 * logratio_K - advantage_K
    weight_K = torch.ones_like(advantage_K) if weight_K is None else weight_K
    total = weight_K.sum() if denominator is None else denominator
    return LossOutput(loss=(weight_K * residual_K.square()).sum() / total, residual_K=residual_K)


def policy_metrics(logratio_R: Tensor, advantage_R: Tensor, reward_R: Tensor, *, token_count: int) -> dict[str, float]:
    """How far the policy went from the reference, over the R rollouts of one step (log-ratios summed over segments).

    Winners have a positive advantage, losers a negative one; a figure of an empty class is left out, not set to 0.
    Log-ratios and KL in nats per rollout; `nll_shift` is the mean change of a trained token's log-prob.
    """
    logratio_R, advantage_R, reward_R = (x.detach().double() for x in (logratio_R, advantage_R, reward_R))
    weight_R = torch.exp(logratio_R.clamp(max=math.log(MAX_IMPORTANCE_WEIGHT)))
    figures = {
        "reward": reward_R.mean(),
        "logratio": logratio_R.mean(),
        "kl_forward": -logratio_R.mean(),
        # E_ref[w ln w - w + 1] >= 0 estimates KL(pi || pi_ref); the clip biases it down for w > 5.
        "kl_reverse": (torch.xlogy(weight_R, weight_R) - weight_R + 1).mean(),
        "weighted_reward": (weight_R * reward_R).mean(),
        "winner_share": (advantage_R > 0).double().mean(),
        "nll_shift": -logratio_R.sum() / max(token_count, 1),
    }
    figures |= _by_class("logratio", logratio_R, advantage_R)
    return {name: value.item() for name, value in figures.items()}


def residual_metrics(residual_K: Tensor, advantage_K: Tensor) -> dict[str, float]:
    """What is left of the regression, over the loss terms of one step, and the loss split by the advantage's sign.

    `residual_winners` < 0: winners are not yet as likely as the optimum asks; `residual_losers` > 0: losers too likely.
    """
    residual_K, advantage_K = residual_K.detach().double(), advantage_K.detach().double()
    figures = {"residual_abs": residual_K.abs().mean()}
    figures |= _by_class("residual", residual_K, advantage_K)
    figures |= _by_class("loss", residual_K.square(), advantage_K)
    return {name: value.item() for name, value in figures.items()}


def _by_class(name: str, values: Tensor, advantages: Tensor) -> dict[str, Tensor]:
    classes = {"winners": advantages > 0, "losers": advantages < 0}
    return {f"{name}_{which}": values[chosen].mean() for which, chosen in classes.items() if chosen.any()}
