"""A Qwen3 in numpy and float64, from its published equations: log-probs to hold a float32 trainer against.

transformers keeps norms, rotary angles and softmax in float32 whatever the weights are, so its own double precision is
none. One unpadded segment at a time; slow, and meant for small models.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class ExactModel:
    """`logprobs` of the weights in a Hugging Face folder. Shapes: _TD tokens by width, _HTE heads, tokens, head_dim."""

    def __init__(self, folder: Path) -> None:
        from safetensors.numpy import load_file

        self._config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        loaded = load_file(folder / "model.safetensors")
        self._weights = {name.removeprefix("model."): array.astype(np.float64) for name, array in loaded.items()}

    def logprobs(self, token_ids: NDArray[np.int32]) -> Array:
        """ln pi(y_t | y_<t), (T,); 0 for the first token, which nothing comes before."""
        embedding = self._weights["embed_tokens.weight"]
        x_TD = embedding[token_ids]
        for layer in range(self._config["num_hidden_layers"]):
            x_TD = x_TD + self._attention(f"layers.{layer}", x_TD)
            x_TD = x_TD + self._mlp(f"layers.{layer}", x_TD)
        head = self._weights.get("lm_head.weight", embedding)
        logits_TV = self._normed("norm", x_TD)[:-1] @ head.T
        logits_TV -= logits_TV.max(axis=-1, keepdims=True)
        picked = np.take_along_axis(logits_TV, token_ids[1:, None].astype(np.int64), axis=-1)[:, 0]
        return np.concatenate([[0.0], picked - np.log(np.exp(logits_TV).sum(axis=-1))])

    def _attention(self, layer: str, x_TD: Array) -> Array:
        x_TD = self._normed(f"{layer}.input_layernorm", x_TD)
        q, k, v = (self._heads(f"{layer}.self_attn.{name}_proj", x_TD) for name in "qkv")
        q, k = (self._rotated(self._normed(f"{layer}.self_attn.{n}_norm", z)) for n, z in (("q", q), ("k", k)))
        k, v = (np.repeat(z, len(q) // len(z), axis=0) for z in (k, v))
        scores_HTT = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
        scores_HTT[:, np.triu(np.ones(scores_HTT.shape[1:], bool), 1)] = -np.inf
        weight_HTT = np.exp(scores_HTT - scores_HTT.max(axis=-1, keepdims=True))
        mixed_HTE = weight_HTT / weight_HTT.sum(axis=-1, keepdims=True) @ v
        return self._linear(f"{layer}.self_attn.o_proj", mixed_HTE.transpose(1, 0, 2).reshape(len(x_TD), -1))

    def _mlp(self, layer: str, x_TD: Array) -> Array:
        x_TD = self._normed(f"{layer}.post_attention_layernorm", x_TD)
        gate, up = (self._linear(f"{layer}.mlp.{name}_proj", x_TD) for name in ("gate", "up"))
        return self._linear(f"{layer}.mlp.down_proj", gate / (1 + np.exp(-gate)) * up)

    def _linear(self, name: str, x: Array) -> Array:
        return x @ self._weights[f"{name}.weight"].T

    def _heads(self, name: str, x_TD: Array) -> Array:
        return self._linear(name, x_TD).reshape(len(x_TD), -1, self._config["head_dim"]).transpose(1, 0, 2)

    def _normed(self, name: str, x: Array) -> Array:
        scale = np.sqrt(np.square(x).mean(axis=-1, keepdims=True) + self._config["rms_norm_eps"])
        return x / scale * self._weights[f"{name}.weight"]

    def _rotated(self, x_HTE: Array) -> Array:
        """Rotary position: the first half of a head's columns is paired with the second."""
        half, length = x_HTE.shape[-1] // 2, x_HTE.shape[1]
        theta = (self._config.get("rope_parameters") or self._config)["rope_theta"]
        angle_TE = np.arange(length)[:, None] * theta ** (-np.arange(half) / half)
        first, second = x_HTE[..., :half], x_HTE[..., half:]
        cos, sin = np.cos(angle_TE), np.sin(angle_TE)
        return np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)
