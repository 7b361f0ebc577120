"""Models that the local engine must not serve, and how many conversations fit."""

from __future__ import annotations

import pytest
import torch
from transformers import CohereConfig, CohereForCausalLM, MistralConfig, MistralForCausalLM

from agents.engines.local import LocalEngine
from agents.engines.local.kv_cache import USUAL_TOKENS, rows_that_fit
from store.errors import UsageError
from tests.agents.local.kit import VOCAB, qwen


def test_a_sliding_window_is_refused():
    config = MistralConfig(
        vocab_size=VOCAB,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        intermediate_size=40,
        sliding_window=16,
    )
    with pytest.raises(UsageError, match="sliding window"):
        LocalEngine(MistralForCausalLM(config).eval())


def test_a_model_that_scales_its_logits_is_refused():
    torch.manual_seed(0)
    config = CohereConfig(
        vocab_size=VOCAB,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        intermediate_size=40,
        logit_scale=0.0625,
        initializer_range=0.5,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    with pytest.raises(UsageError, match="differ by"):
        LocalEngine(CohereForCausalLM(config).eval(), name="scaled")


def test_broken_weights_are_refused():
    model = qwen()
    with torch.no_grad():
        next(model.parameters())[0] = float("nan")
    with pytest.raises(UsageError, match="not finite"):
        LocalEngine(model)


def test_rows_are_as_many_as_fit():
    config = qwen().config
    row_gib = 2 * 2 * 2 * 8 * 4 * USUAL_TOKENS / 2**30  # K and V, layers, heads, dimension, fp32
    assert rows_that_fit(config, limit=192, gib=4.0, dtype=torch.float32) == 192
    assert rows_that_fit(config, limit=192, gib=row_gib * 5.5, dtype=torch.float32) == 5
    assert rows_that_fit(config, limit=192, gib=0.0, dtype=torch.float32) == 1
