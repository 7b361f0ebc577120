"""A freshly initialised Qwen3 model folder: what behaviour cloning of the embedded policy starts from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from rl_backend.random_model import random_qwen3

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
    size = size or ModelSize.model_validate({})
    model = random_qwen3(
        size,
        vocab=len(tokenizer),
        std=size.init_std,
        seed=seed,
        eos_token_id=_single(tokenizer.eos_token_id),
        pad_token_id=_single(tokenizer.pad_token_id),
        bos_token_id=None,
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return sum(parameter.numel() for parameter in model.parameters())


def _single(token_id: object) -> int:
    if not isinstance(token_id, int):
        raise ValueError(f"the tokenizer must have one end and one padding token, has {token_id!r}")
    return token_id
