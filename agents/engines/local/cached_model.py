"""The model over its slot cache: a prefill or a decoding step of some rows -> the logits that follow them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from transformers import PreTrainedModel

from agents.engines.local.check import PROBE_TOKENS, check_agreement, plain_logits
from agents.engines.local.kv_cache import ATTENTION, SlotCache, rows_that_fit

PADDING = 1.15  # tokens computed for each one asked for, before a pass is split
SMALL_PASS = 256  # padded tokens of a pass that is not worth splitting
LARGE_PASS = 32_768  # padded tokens of one pass: activations take memory too


def spans(widths: Sequence[int]) -> list[tuple[int, int]]:
    """Cut rows into passes (first row, end) of little padding; a pass is as wide as its widest row."""
    cuts, asked, widest = [0], 0, 0
    for index, width in enumerate(widths):
        wider = max(widest, width)
        padded = wider * (index + 1 - cuts[-1])
        if padded > max(SMALL_PASS, min(PADDING * (asked + width), LARGE_PASS)) and index > cuts[-1]:
            cuts.append(index)
            asked, wider = 0, width
        asked, widest = asked + width, wider
    return list(pairwise([*cuts, len(widths)]))


class CachedModel:
    """Raises: UsageError for an architecture that it would compute wrongly."""

    def __init__(self, model: PreTrainedModel, *, name: str, max_rows: int, capacity: int, cache_gib: float) -> None:
        self.model = model
        weight = next(model.parameters())
        self._device = str(weight.device)
        expected_V = plain_logits(model, name=name)
        model.set_attn_implementation(ATTENTION)
        self.head: Any = model.get_output_embeddings()
        self.vocabulary = len(expected_V)
        rows = rows_that_fit(model.config, limit=max_rows, gib=cache_gib, dtype=weight.dtype)
        self.cache = SlotCache(
            model.config, rows=rows, capacity=max(capacity, PROBE_TOKENS), device=self._device, dtype=weight.dtype
        )
        check_agreement(self._probe, expected_V, name=name, dtype=weight.dtype)
        self.tokens_computed = 0

    def prefill(self, prompts: Sequence[Sequence[int]], starts: Sequence[int], *, first: int) -> torch.Tensor:
        """Logits [B, V] behind prompts in the rows from `first` on; of each, the ids before its start are cached.

        Neighbours of like length are computed together, so prompts should come in the order of their new tokens.
        """
        news = [prompt[start:] for prompt, start in zip(prompts, starts, strict=True)]
        self.tokens_computed += sum(map(len, news))
        return torch.cat(
            [
                self._prefill(news[begin:end], starts[begin:end], first=first + begin)
                for begin, end in spans(list(map(len, news)))
            ]
        )

    def _prefill(self, news: Sequence[Sequence[int]], starts: Sequence[int], *, first: int) -> torch.Tensor:
        width = max(map(len, news))
        self.cache.reserve(max(starts) + width + 1)  # padding takes slots too
        ids_BS = torch.zeros(len(news), width, dtype=torch.long)
        for index, new in enumerate(news):
            ids_BS[index, : len(new)] = torch.tensor(new)
        lasts = torch.tensor([len(new) - 1 for new in news], device=self._device)
        hidden_BSE = self._forward(ids_BS, torch.tensor(starts), first=first)
        return self._logits(hidden_BSE[torch.arange(len(news)), lasts])

    def decode(self, ids: Sequence[int], starts: Sequence[int]) -> torch.Tensor:
        """Logits [B, V] behind one more token of each of the first rows."""
        self.cache.reserve(max(starts) + 1)
        hidden_B1E = self._forward(torch.tensor(ids)[:, None], torch.tensor(starts), first=0)
        self.tokens_computed += len(ids)
        return self._logits(hidden_B1E[:, 0])

    def _logits(self, hidden_BE: torch.Tensor) -> torch.Tensor:
        return self.head(hidden_BE).float()

    def _forward(self, ids_BS: torch.Tensor, starts_B: torch.Tensor, *, first: int) -> torch.Tensor:
        """Hidden states [B, S, E] of new tokens that begin at `starts_B` of the rows from `first` on."""
        positions_BS = (starts_B[:, None] + torch.arange(ids_BS.shape[1])).to(self._device)
        length = int(positions_BS.max()) + 1
        # Padding sits behind each row's own tokens: causality hides it, the next turn overwrites it.
        mask_B1SL = torch.arange(length, device=self._device) <= positions_BS[:, None, :, None]
        self.cache.select(first, positions_BS, length=length)
        return self.model.base_model(
            input_ids=ids_BS.to(self._device),
            attention_mask=mask_B1SL,
            position_ids=positions_BS,
            past_key_values=self.cache,
            use_cache=True,
        ).last_hidden_state

    def _probe(self, ids_T: torch.Tensor) -> torch.Tensor:
        """Logits [V] behind `ids_T`, by a prefill and one decoding step as in sampling."""
        with torch.inference_mode():
            self._forward(ids_T[None, :-1], torch.zeros(1, dtype=torch.long), first=0)
            return self._logits(self._forward(ids_T[None, -1:], torch.tensor([len(ids_T) - 1]), first=0)[0, 0])
