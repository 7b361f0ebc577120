"""A freshly initialised Qwen3 model folder: what behaviour cloning of the embedded policy starts from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


class ModelSize(BaseModel, frozen=True, extra="forbid"):
    """Defaults: about 0.87 M parameters at a vocabulary of 640."""

    width: int = Field(128, ge=8)
    layers: int = Field(4, ge=1)
    heads: int = Field(4, ge=1)
    kv_heads: int = Field(2, ge=1)
    head_dim: int = Field(32, ge=2)
    mlp: int = Field(384, ge=8)
    context: int = Field(1024, ge=16)
    init_std: float = Field(0.05, gt=0)


def write_fresh_model(
    folder: Path, *, tokenizer: PreTrainedTokenizerFast, seed: int, size: ModelSize | None = None
) -> int:
    """Write random weights and the tokenizer to `folder`; returns the number of parameters."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    size = size or ModelSize.model_validate({})
    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=size.width,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.kv_heads,
        head_dim=size.head_dim,
        intermediate_size=size.mlp,
        max_position_embeddings=size.context,
        initializer_range=size.init_std,
        tie_word_embeddings=True,
        eos_token_id=_single(tokenizer.eos_token_id),
        pad_token_id=_single(tokenizer.pad_token_id),
        bos_token_id=None,
    )
    model = Qwen3ForCausalLM(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return sum(parameter.numel() for parameter in model.parameters())


def _single(token_id: object) -> int:
    if not isinstance(token_id, int):
        raise ValueError(f"the tokenizer must have one end and one padding token, has {token_id!r}")
    return token_id
