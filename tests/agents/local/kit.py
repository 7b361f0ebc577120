"""Small models, requests to them, what the plain model says; and a gate that stops the engine at a known place."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Awaitable
from contextlib import aclosing
from typing import Any, TypeVar

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel, Qwen3Config, Qwen3ForCausalLM

from agents.engines.base import Delta, GenerateRequest, Generation, SamplingParams, StreamingEngine
from agents.engines.local import LocalEngine

VOCAB = 61
PATIENCE = 30.0  # seconds; an engine that hangs or spins must fail the test, not the whole suite
T = TypeVar("T")


def qwen(**changes: Any) -> PreTrainedModel:
    torch.manual_seed(0)
    values: dict[str, Any] = {
        "vocab_size": VOCAB,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "intermediate_size": 48,
        "max_position_embeddings": 512,
        "initializer_range": 0.2,  # peaked enough that sampling is no coin toss
        "tie_word_embeddings": True,
    }
    return Qwen3ForCausalLM(Qwen3Config(**(values | changes))).eval()


def llama() -> PreTrainedModel:
    """No grouped queries, no tied head, no head_dim of its own: another shape in every respect."""
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=VOCAB,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        num_key_value_heads=2,
        intermediate_size=40,
        max_position_embeddings=512,
        initializer_range=0.2,
        tie_word_embeddings=False,
    )
    return LlamaForCausalLM(config).eval()


MODELS = {"qwen3": qwen, "llama": llama}


def request(prompt: list[int], *, session: str = "", tokens: int = 8, **sampling: Any) -> GenerateRequest:
    return GenerateRequest(prompt, SamplingParams(max_tokens=tokens, **sampling), session)


async def soon(work: Awaitable[T]) -> T:
    return await asyncio.wait_for(work, PATIENCE)


async def heard(engine: StreamingEngine, asked: GenerateRequest) -> list[Delta]:
    async with aclosing(engine.stream(asked)) as stream:
        return [delta async for delta in stream]


def plain_logprobs(model: PreTrainedModel, prompt: list[int], sampled: list[int]) -> list[float]:
    """Log-probs of `sampled` behind `prompt` by one full forward pass, no cache, no padding, eager attention."""
    with torch.no_grad():
        logits_TV = model(input_ids=torch.tensor([[*prompt, *sampled]])).logits[0, len(prompt) - 1 : -1]
    return logits_TV.log_softmax(-1).gather(1, torch.tensor(sampled)[:, None])[:, 0].tolist()


def assert_agrees(model: PreTrainedModel, prompt: list[int], generation: Generation | BaseException) -> None:
    assert isinstance(generation, Generation)
    expected = plain_logprobs(model, prompt, generation.token_ids)
    assert generation.logprobs == pytest.approx(expected, abs=1e-4)


def random_prompt(length: int, *, seed: int) -> list[int]:
    return random.Random(seed).choices(range(VOCAB), k=length)


class Gate:
    """Holds the model before a forward pass until it is opened, so that a test knows where the engine is."""

    def __init__(self, engine: LocalEngine) -> None:
        self.passing, self.reached = threading.Event(), threading.Event()
        self.error: Exception | None = None
        self.calls = 0
        plain = engine._cached.model.base_model.forward

        def forward(*args: object, **kwargs: object) -> object:
            self.calls += 1
            self.reached.set()
            assert self.passing.wait(PATIENCE)
            if self.error is not None:
                error, self.error = self.error, None
                raise error
            return plain(*args, **kwargs)

        engine._cached.model.base_model.forward = forward

    async def running(self) -> None:
        assert await asyncio.to_thread(self.reached.wait, PATIENCE)


async def idle(engine: LocalEngine) -> None:
    """Ask for a token: when it is answered and nothing else runs, the rows are free."""
    async with asyncio.timeout(PATIENCE):
        while True:
            await engine.generate(request([1], tokens=1))
            if engine._worker.idle:
                return
