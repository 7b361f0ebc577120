"""The model over its slot cache: a prefill or a decoding step of some rows -> the logits that follow them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import PreTrainedModel

from agents.engines.local.check import PROBE_TOKENS, check_agreement, plain_logits
from agents.engines.local.kv_cache import ATTENTION, SlotCache, rows_that_fit


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
        """Logits [B, V] behind prompts in the rows from `first` on; of each, the ids before its start are cached."""
        news = [prompt[start:] for prompt, start in zip(prompts, starts, strict=True)]
        width = max(map(len, news))
        self.cache.reserve(max(starts) + width + 1)
        ids_BS = torch.zeros(len(news), width, dtype=torch.long)
        for index, new in enumerate(news):
            ids_BS[index, : len(new)] = torch.tensor(new)
        lasts = torch.tensor([len(new) - 1 for new in news], device=self._device)
        hidden_BSE = self._forward(ids_BS, torch.tensor(starts), first=first)
        self.tokens_computed += sum(map(len, news))
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
