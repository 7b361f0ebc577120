"""Draw tokens from logits, each row with its own settings and its own random numbers: no row changes another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch

from agents.engines.base import SamplingParams


class Drawn(NamedTuple):
    """One token a row, and its log-prob (nats, of the raw model)."""

    tokens: list[int]
    logprobs: list[float]


def sample(logits_BV: torch.Tensor, settings: Sequence[SamplingParams], *, uniforms: Sequence[float]) -> Drawn:
    """Raises: ValueError for logits that are not finite."""
    logprobs_BV = logits_BV.log_softmax(-1)
    tokens_B = draw(logits_BV, settings, uniforms=uniforms)
    chosen = logprobs_BV.gather(1, tokens_B[:, None])[:, 0].tolist()
    if not all(map(math.isfinite, chosen)):
        raise ValueError("the model's output is not finite; its weights are corrupt or a training diverged")
    return Drawn(tokens_B.tolist(), chosen)


def draw(logits_BV: torch.Tensor, settings: Sequence[SamplingParams], *, uniforms: Sequence[float]) -> torch.Tensor:
    """One token id a row [B], by inverse transform sampling with the row's uniform in [0, 1)."""
    device = logits_BV.device
    temperature_B1 = torch.tensor([[s.temperature or 1.0] for s in settings], device=device)
    uniform_B1 = torch.tensor([[u] for u in uniforms], device=device, dtype=torch.float32)
    probabilities_BV = (logits_BV / temperature_B1).softmax(-1)
    if any(s.top_p < 1.0 for s in settings):
        top_p_B1 = torch.tensor([[s.top_p] for s in settings], device=device)
        probabilities_BV = nucleus(probabilities_BV, top_p_B1)
    cumulative_BV = probabilities_BV.cumsum(-1)
    tokens_B1 = torch.searchsorted(cumulative_BV, uniform_B1 * cumulative_BV[:, -1:], right=True)
    greedy_B1 = torch.tensor([[s.temperature == 0] for s in settings], device=device)
    # A uniform that rounds up to 1 points behind the vocabulary; the likeliest token is never one cut off by top_p.
    greedy_B1 |= tokens_B1 == logits_BV.shape[1]
    return torch.where(greedy_B1, logits_BV.argmax(-1, keepdim=True), tokens_B1)[:, 0]


def nucleus(probabilities_BV: torch.Tensor, top_p_B1: torch.Tensor) -> torch.Tensor:
    """Keep the smallest set of tokens whose probability reaches top_p (Holtzman et al., 2020)."""
    ordered_BV, order_BV = probabilities_BV.sort(-1, descending=True)
    before_BV = ordered_BV.cumsum(-1) - ordered_BV
    ordered_BV = ordered_BV.masked_fill(before_BV >= top_p_B1, 0.0)
    return torch.zeros_like(probabilities_BV).scatter(1, order_BV, ordered_BV)
