"""The value model over a cache of prefixes: each row one rollout, found again by the beginning of its tokens.

K candidates of one prefix lie one behind the other in its row: each sees the prefix and itself (a tree of attention),
so the prefix is computed once, and only what a rollout has grown by since its last question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from transformers import PretrainedConfig, PreTrainedModel

from agents.engines.local.kv_cache import ATTENTION, SlotCache, rows_that_fit


class Asked(NamedTuple):
    """A prefix of T ids and K candidates that may follow it; T at least 1."""

    prefix_ids: tuple[int, ...]
    candidates_K: tuple[tuple[int, ...], ...]

    @property
    def length(self) -> int:
        return len(self.prefix_ids) + sum(map(len, self.candidates_K))


@dataclass(eq=False)
class _Row:
    """`cached`: ids whose keys and values stand in the row, from its first slot on."""

    index: int
    cached: tuple[int, ...] = ()
    used: int = 0


class _Tree(NamedTuple):
    """New tokens of one row: ids, positions in the text, and which of the row's slots each sees, bool (S, L)."""

    ids: list[int]
    positions: list[int]
    start: int
    spans: list[tuple[int, int]]  # first and end of every candidate among the new tokens


class GatherCache(SlotCache):
    """Slots of any rows, in any order: they are copied together for each layer."""

    def choose(self, rows_B: torch.Tensor, slots_BS: torch.Tensor, *, length: int) -> None:
        self._chosen_B, self._positions_BS, self._length = rows_B, slots_BS, length

    def update(
        self, key_BHSD: torch.Tensor, value_BHSD: torch.Tensor, layer_idx: int, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """transformers' Cache protocol: store the new tokens, return copies [B, H, length, D]."""
        out = []
        for store, fresh in ((self._keys[layer_idx], key_BHSD), (self._values[layer_idx], value_BHSD)):
            store[self._chosen_B[:, None], self._positions_BS] = fresh.transpose(1, 2)
            out.append(store[self._chosen_B, : self._length].transpose(1, 2))
        return out[0], out[1]


class ValueRows:
    """Not thread-safe: one worker owns it. tokens_computed: without the cache it would be `tokens_asked`."""

    def __init__(self, model: PreTrainedModel, *, max_rows: int, capacity: int, cache_gib: float) -> None:
        weight = next(model.parameters())
        config: PretrainedConfig = model.config
        self._model: Any = model
        self._device, self._dtype = weight.device, weight.dtype
        model.set_attn_implementation(ATTENTION)
        count = rows_that_fit(config, limit=max_rows, gib=cache_gib, dtype=weight.dtype)
        self._cache = GatherCache(config, rows=count, capacity=capacity, device=str(weight.device), dtype=weight.dtype)
        self._rows = [_Row(index) for index in range(count)]
        self._clock = 0
        self.tokens_computed = self.tokens_asked = 0

    @property
    def count(self) -> int:
        return len(self._rows)

    def new_tokens(self, asked: Asked) -> int:
        """How many would have to be computed for it now."""
        return asked.length - max(_common(row.cached, asked.prefix_ids) for row in self._rows)

    @torch.inference_mode()
    def logits(self, asked_B: Sequence[Asked]) -> list[list[float]]:
        """V behind every candidate; of an empty one, behind the prefix. At most `count` at a time."""
        self._clock += 1
        rows_B = self._assign(asked_B)
        trees_B = [_tree(asked, row.cached) for asked, row in zip(asked_B, rows_B, strict=True)]
        values_BS = self._forward(rows_B, trees_B)
        for asked, row, tree in zip(asked_B, rows_B, trees_B, strict=True):
            # What lies contiguous behind the prefix is its first candidate; the others are of no later use.
            row.cached = asked.prefix_ids + asked.candidates_K[0]
            self.tokens_computed += len(tree.ids)
            self.tokens_asked += sum(len(asked.prefix_ids) + len(ids) for ids in asked.candidates_K)
        return [
            [values[end - 1] if end > first else values[prefix_end] for first, end in tree.spans]
            for values, tree in zip(values_BS, trees_B, strict=True)
            for prefix_end in (tree.spans[0][0] - 1,)
        ]

    def forget(self) -> None:
        """After a failure nothing that is cached can be relied on."""
        for row in self._rows:
            row.cached = ()

    def _assign(self, asked_B: Sequence[Asked]) -> list[_Row]:
        """For each the free row with the longest common beginning; of equals an empty one, then the longest unused."""
        free, found = list(self._rows), list[_Row]()
        for asked in asked_B:
            best = max(free, key=lambda row: (_common(row.cached, asked.prefix_ids), not row.cached, -row.used))
            free.remove(best)
            best.used = self._clock
            found.append(best)
        return found

    def _forward(self, rows_B: Sequence[_Row], trees_B: Sequence[_Tree]) -> list[list[float]]:
        """V after every new token, [B][S]."""
        width = max(len(tree.ids) for tree in trees_B)
        length = max(tree.start for tree in trees_B) + width
        self._cache.reserve(length)
        ids_BS = torch.zeros(len(trees_B), width, dtype=torch.long)
        positions_BS, slots_BS = torch.zeros_like(ids_BS), torch.zeros_like(ids_BS)
        mask_B1SL = torch.zeros(len(trees_B), 1, width, length, dtype=torch.bool)
        for b, tree in enumerate(trees_B):
            count = len(tree.ids)
            ids_BS[b, :count] = torch.tensor(tree.ids)
            positions_BS[b, :count] = torch.tensor(tree.positions)
            slots_BS[b] = tree.start + torch.arange(width)
            mask_B1SL[b, 0] = _visible(tree, width=width, length=length)
        self._cache.choose(
            torch.tensor([row.index for row in rows_B], device=self._device), slots_BS.to(self._device), length=length
        )
        hidden_BSE = self._model.base_model(
            input_ids=ids_BS.to(self._device),
            attention_mask=mask_B1SL.to(self._device),
            position_ids=positions_BS.to(self._device),
            past_key_values=self._cache,
            use_cache=True,
        ).last_hidden_state
        return self._model.score(hidden_BSE)[..., 0].float().cpu().tolist()


def _tree(asked: Asked, cached: tuple[int, ...]) -> _Tree:
    """What has to be computed: the rest of the prefix, at least its last token, then all candidates."""
    prefix = asked.prefix_ids
    start = min(_common(cached, prefix), len(prefix) - 1)
    ids, positions, spans = list(prefix[start:]), list(range(start, len(prefix))), list[tuple[int, int]]()
    for candidate in asked.candidates_K:
        spans.append((len(ids), len(ids) + len(candidate)))
        ids += candidate
        positions += range(len(prefix), len(prefix) + len(candidate))
    return _Tree(ids, positions, start, spans)


def _visible(tree: _Tree, *, width: int, length: int) -> torch.Tensor:
    """bool (width, length): causal, and no candidate sees another. Padding sees all before it: it is never read."""
    new_S = tree.start + torch.arange(width)
    mask_SL = torch.arange(length) <= new_S[:, None]
    first = tree.spans[0][0]
    for begin, end in tree.spans:
        mask_SL[begin:end, tree.start + first : tree.start + begin] = False
    return mask_SL


def _common(cached: tuple[int, ...], ids: tuple[int, ...]) -> int:
    """How many ids both begin with."""
    limit = min(len(cached), len(ids))
    if cached[:limit] == ids[:limit]:
        return limit
    return next(index for index in range(limit) if cached[index] != ids[index])
