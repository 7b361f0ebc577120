"""Freshly drawn Qwen3 models of known sizes, without a tokenizer: for benches, for `scripts/gpu_check.py`, for tests.

Needs torch and transformers alone. The embedded policy's own start is `fresh_model`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, Protocol


class Shape(NamedTuple):
    """A Qwen3."""

    vocab: int
    width: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    mlp: int
    context: int = 4096

    @property
    def layer_weights(self) -> int:
        """Weights of all matrices of all layers: what each token is multiplied with, the head aside."""
        attention = self.width * self.head_dim * (2 * self.heads + 2 * self.kv_heads)
        return self.layers * (attention + 3 * self.width * self.mlp)

    def training_flops(self, *, lengths: list[int], headed: int) -> float:
        """Floating-point operations of forward and backward: 6 per weight and token, the head's for `headed` tokens.

        Causal attention counts the half that is not masked: 6 * layers * heads * head_dim * T^2 per sequence of T.
        """
        attention = 6 * self.layers * self.heads * self.head_dim * sum(length**2 for length in lengths)
        return 6.0 * self.layer_weights * sum(lengths) + 6.0 * self.vocab * self.width * headed + attention


TOY = Shape(vocab=128, width=64, layers=2, heads=4, kv_heads=2, head_dim=16, mlp=160)
"0.1 M parameters."
SMALL = Shape(vocab=2048, width=192, layers=6, heads=6, kv_heads=2, head_dim=32, mlp=576)
"3 M parameters."
HALF_BILLION = Shape(vocab=151_936, width=1024, layers=24, heads=16, kv_heads=8, head_dim=128, mlp=3072)
"0.53 B parameters: Qwen3-0.6B with 24 of its 28 layers."


class Size(Protocol):
    """What of a shape a Qwen3's configuration needs beside its vocabulary."""

    @property
    def width(self) -> int: ...
    @property
    def layers(self) -> int: ...
    @property
    def heads(self) -> int: ...
    @property
    def kv_heads(self) -> int: ...
    @property
    def head_dim(self) -> int: ...
    @property
    def mlp(self) -> int: ...
    @property
    def context(self) -> int: ...


def random_qwen3(size: Size, *, vocab: int, std: float, seed: int, tied: bool = True, **tokens: Any) -> Any:
    """A Qwen3 with float32 weights drawn by `seed` from a normal of deviation `std`; `tokens`: ids of special ones."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=vocab,
        hidden_size=size.width,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.kv_heads,
        head_dim=size.head_dim,
        intermediate_size=size.mlp,
        max_position_embeddings=size.context,
        initializer_range=std,
        tie_word_embeddings=tied,
        **tokens,
    )
    return Qwen3ForCausalLM(config)


def write_random_model(folder: Path, shape: Shape, *, seed: int, tied: bool = True) -> int:
    """Write a model folder with random float32 weights; returns the number of parameters."""
    std = 0.05 if shape.width < 512 else 0.02  # wide enough for log-probs to depend on the context
    model = random_qwen3(shape, vocab=shape.vocab, std=std, seed=seed, tied=tied)
    model.save_pretrained(folder)
    return sum(parameter.numel() for parameter in model.parameters())
