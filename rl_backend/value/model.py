"""The value model as pure torch: sigmoid(V(x, y<=t)) is the probability that the rollout ends correct. No verl.

KARL, section 6; Wang et al., arXiv 2505.17373: over the policy's own tokens t of all segments of a batch,

    loss = - mean_t ( r ln sigmoid(V_t) + (1 - r) ln(1 - sigmoid(V_t)) )      r in {0, 1}: the rollout's final reward
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rl_backend.rollouts import TrainingSegment
from store.errors import UsageError


def value_loss(value_N: Tensor, reward_N: Tensor, mask_N: Tensor, *, denominator: float) -> Tensor:
    """Cross-entropy of sigmoid(V) summed over tokens with mask 1, over `denominator` (their number in the batch).

    value_N: logits; reward_N: 0 or 1, the same for all tokens of a rollout. float32 logits of any size are safe.
    """
    terms_N = torch.nn.functional.binary_cross_entropy_with_logits(value_N, reward_N, reduction="none")
    return (terms_N * mask_N).sum() / denominator


def load_value_model(folder: Path | str) -> Any:
    """A model with one output per token, fp32. A policy's folder gets a head of zeros: every value 0.5 to begin with.

    Raises: UsageError for an architecture without a class for token classification.
    """
    from transformers import AutoConfig, AutoModelForTokenClassification

    config = AutoConfig.from_pretrained(folder)
    trained = "ForTokenClassification" in (config.architectures or [""])[0]
    config.num_labels, config.classifier_dropout = 1, 0.0
    try:
        with _silent():
            model: Any = AutoModelForTokenClassification.from_pretrained(
                folder, config=config, dtype=torch.float32, attn_implementation="sdpa"
            )
    except ValueError as exc:
        raise UsageError(f"{folder}: no value model can be made of it: {exc}") from exc
    if not trained:
        for parameter in model.score.parameters():
            torch.nn.init.zeros_(parameter)
    return model


@contextmanager
def _silent() -> Iterator[None]:
    """transformers warns of the head that a policy lacks, and draws bars."""
    from transformers.utils import logging

    spoken, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(spoken)
        if bars:
            logging.enable_progress_bar()


@torch.no_grad()
def value_logits(model: Any, segments: Sequence[TrainingSegment], *, budget: int) -> list[NDArray[np.float32]]:
    """V of every token, float32 (T,) per segment; about `budget` padded tokens a forward pass."""
    found: dict[int, NDArray[np.float32]] = {}
    device = next(model.parameters()).device
    for group in _batches([len(segment.token_ids) for segment in segments], budget=budget):
        width = len(segments[group[0]].token_ids)
        ids_ST = torch.zeros(len(group), width, dtype=torch.long)
        for row, index in enumerate(group):
            ids = segments[index].token_ids
            ids_ST[row, : len(ids)] = torch.from_numpy(ids.astype(np.int64))
        values_ST = model(input_ids=ids_ST.to(device), use_cache=False).logits[..., 0].float().cpu().numpy()
        for row, index in enumerate(group):
            found[index] = values_ST[row, : len(segments[index].token_ids)]
    return [found[index] for index in range(len(segments))]


def _batches(lengths: Sequence[int], *, budget: int) -> list[list[int]]:
    """Indices by falling length: the first of a batch is its longest, and pads the others."""
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if not batches or (len(batches[-1]) + 1) * lengths[batches[-1][0]] > budget:
            batches.append([])
        batches[-1].append(index)
    return batches
