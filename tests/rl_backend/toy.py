"""A random 100 k-parameter Qwen3 and synthetic rollouts, for tests that train."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM, Glm4MoeConfig, Glm4MoeForCausalLM

from rl_backend.config import TrainConfig
from rl_backend.index import build_index
from rl_backend.loader import Loader
from rl_backend.random_model import TOY, write_random_model
from rl_backend.rollouts import Example, TrainingRollout, TrainingSegment
from rl_backend.source import MemorySource

VOCAB = TOY.vocab


def make_base(path: Path, *, seed: int = 0, tied: bool = True) -> Path:
    """A freshly initialised model folder with a tokenizer file and a policy profile beside the weights."""
    write_random_model(path, TOY._replace(context=512), seed=seed, tied=tied)
    (path / "tokenizer.json").write_text('{"made": "by a test"}')
    (path / "karl.json").write_text('{"profile": "toy"}')
    return path


def make_glm_base(path: Path, *, seed: int = 0) -> Path:
    """The architecture of GLM-4.5-Air, shrunken: one dense layer, then two of 8 routed experts and a shared one."""
    torch.manual_seed(seed)
    config = Glm4MoeConfig(
        vocab_size=VOCAB,
        hidden_size=64,
        num_hidden_layers=3,
        first_k_dense_replace=1,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        intermediate_size=96,
        moe_intermediate_size=32,
        n_routed_experts=8,
        num_experts_per_tok=2,
        max_position_embeddings=512,
        initializer_range=0.05,
    )
    Glm4MoeForCausalLM(config).save_pretrained(path)
    return path


def plain_logprobs(path: Path, segments: list[TrainingSegment]) -> list[np.ndarray]:
    """Log-probs by plain transformers, one segment at a time, unpadded: what an engine would have recorded."""
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
    found = []
    for segment in segments:
        ids = torch.from_numpy(segment.token_ids.astype(np.int64))[None]
        with torch.no_grad():
            logp = torch.log_softmax(model(input_ids=ids).logits[0].double(), dim=-1)
        sampled = logp[:-1].gather(1, ids[0, 1:, None])[:, 0].numpy()
        found.append(np.where(segment.loss_mask, np.concatenate([[0.0], sampled]), 0.0).astype(np.float32))
    return found


def random_segment(draw: np.random.Generator, *, tokens: int) -> TrainingSegment:
    """Prompt, then turns of sampled tokens with tool output between them; no log-probs yet."""
    mask = np.zeros(tokens, np.uint8)
    for start in range(int(draw.integers(3, 8)), tokens, 12):
        mask[start : start + 6] = 1
    ids = draw.integers(0, VOCAB, tokens).astype(np.int32)
    return TrainingSegment(ids, mask, np.zeros(tokens, np.float32))


def recorded(path: Path, rollouts: list[TrainingRollout]) -> list[TrainingRollout]:
    """The same rollouts with the log-probs that the policy at `path` gives them."""
    fresh = iter(plain_logprobs(path, [s for r in rollouts for s in r.segments]))
    return [
        TrainingRollout(
            r.rollout_id,
            r.group_id,
            r.reward,
            [TrainingSegment(s.token_ids, s.loss_mask, next(fresh)) for s in r.segments],
        )
        for r in rollouts
    ]


def random_rollouts(base: Path, *, groups: int = 6, size: int = 4, seed: int = 0) -> list[TrainingRollout]:
    """Groups of which the even rollouts won; one to three segments each."""
    draw = np.random.default_rng(seed)
    rollouts = [
        TrainingRollout(
            group * size + i,
            group,
            float(i % 2 == 0),
            [random_segment(draw, tokens=int(draw.integers(16, 60))) for _ in range(draw.integers(1, 4))],
        )
        for group in range(groups)
        for i in range(size)
    ]
    return recorded(base, rollouts)


def loader_of(rollouts: list[TrainingRollout], *, config: TrainConfig) -> Loader:
    source = MemorySource(rollouts)
    return Loader(source, build_index(source, config=config), config=config)


def examples_of(rollouts: list[TrainingRollout], *, config: TrainConfig) -> list[Example]:
    """All examples in the order of the dataset."""
    loader = loader_of(rollouts, config=config)
    return loader.examples(range(len(loader.index.entries)))
