"""A KV cache of slots for ragged batches: each row is one conversation, active rows lie in front.

Rows move by swapping, so that the active ones are a contiguous view and a decoding step copies no cache.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import PretrainedConfig
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

ATTENTION = "karl_grouped_sdpa"


def grouped_sdpa(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Scaled dot-product attention that folds the query groups into the length instead of copying K and V.

    query: [B, Hq, S, D]; key, value: [B, Hkv, L, D]; attention_mask: bool [B, 1, S, L]. Returns [B, S, Hq, D].
    """
    if attention_mask is None:
        raise ValueError("the slot cache always builds its own mask")
    batch, query_heads, length, dim = query.shape
    groups = query_heads // key.shape[1]
    folded = query.reshape(batch, key.shape[1], groups * length, dim)
    mask = attention_mask.expand(batch, 1, length, -1).repeat(1, 1, groups, 1) if length > 1 else attention_mask
    out = torch.nn.functional.scaled_dot_product_attention(folded, key, value, attn_mask=mask, scale=scaling)
    return out.reshape(batch, query_heads, length, dim).transpose(1, 2).contiguous(), None


ALL_ATTENTION_FUNCTIONS.register(ATTENTION, grouped_sdpa)


USUAL_TOKENS = 2048  # of a long conversation, for sizing


def _shape(config: PretrainedConfig) -> tuple[int, int, int]:
    """(layers, heads of K and V, their dimension)."""
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return config.num_hidden_layers, heads, dim


def rows_that_fit(config: PretrainedConfig, *, limit: int, gib: float, dtype: torch.dtype) -> int:
    """How many conversations of `USUAL_TOKENS` tokens fit into `gib`, from 1 to `limit`."""
    layers, heads, dim = _shape(config)
    row_bytes = 2 * layers * heads * dim * dtype.itemsize * USUAL_TOKENS
    return max(1, min(limit, int(gib * 2**30) // row_bytes))


class SlotCache:
    """K and V of `rows` conversations of up to `capacity` tokens; grows when a conversation does.

    Before a forward pass `select(first, positions_BS, length)` says which rows the batch is and where its tokens go;
    transformers' layers then call `update`, and get every row's keys and values up to `length`.
    """

    def __init__(self, config: PretrainedConfig, *, rows: int, capacity: int, device: str, dtype: torch.dtype) -> None:
        self._layers, heads, dim = _shape(config)
        self.rows = rows
        self._shape = (rows, heads, dim)
        self._device, self._dtype = device, dtype
        self.capacity = 0
        self._keys: list[torch.Tensor] = []
        self._values: list[torch.Tensor] = []
        self.reserve(capacity)

    def reserve(self, capacity: int) -> None:
        """Make room for `capacity` tokens a row, keeping what is cached."""
        if capacity <= self.capacity:
            return
        rows, heads, dim = self._shape
        grown = max(capacity, self.capacity * 2)
        # Layer by layer: little is held twice, and where memory runs out every layer still holds its tokens.
        for store in (self._keys, self._values):
            for layer in range(self._layers):
                fresh = torch.zeros(rows, grown, heads, dim, device=self._device, dtype=self._dtype)
                if layer < len(store):
                    fresh[:, : self.capacity] = store[layer][:, : self.capacity]
                    store[layer] = fresh
                else:
                    store.append(fresh)
        self.capacity = grown

    def swap(self, one: int, other: int, *, length: int) -> None:
        """Exchange two rows; only the first `length` tokens can matter."""
        for store in (*self._keys, *self._values):
            kept = store[one, :length].clone()
            store[one, :length] = store[other, :length]
            store[other, :length] = kept

    def copy(self, source: int, target: int, *, length: int) -> None:
        """Give `target` the first `length` tokens of `source`."""
        for store in (*self._keys, *self._values):
            store[target, :length] = store[source, :length]

    def select(self, first: int, positions_BS: torch.Tensor, *, length: int) -> None:
        batch = positions_BS.shape[0]
        self._first, self._last, self._length = first, first + batch, length
        self._positions_BS = positions_BS
        self._rows_B1 = torch.arange(first, first + batch, device=positions_BS.device)[:, None]

    def update(
        self, key_BHSD: torch.Tensor, value_BHSD: torch.Tensor, layer_idx: int, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """transformers' Cache protocol: store the new tokens, return views [B, H, length, D]."""
        out = []
        for store, fresh in ((self._keys[layer_idx], key_BHSD), (self._values[layer_idx], value_BHSD)):
            store[self._rows_B1, self._positions_BS] = fresh.transpose(1, 2)
            out.append(store[self._first : self._last, : self._length].transpose(1, 2))
        return out[0], out[1]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        return self._length

    @property
    def is_compileable(self) -> bool:
        return False
