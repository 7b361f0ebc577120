"""The vLLM engine against a small local HTTP server that speaks the completions protocol (no vLLM is involved)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agents.engines.base import GenerateRequest, SamplingParams
from agents.engines.vllm import VllmEngine, VllmSettings
from agents.errors import EngineError
from tests.wire_double import Answer, completion, server

REQUEST = GenerateRequest([5, 6, 7], SamplingParams(max_tokens=4, temperature=0.5, stop_ids=(2,), seed=9))


def engine(url: str, **changes: Any) -> VllmEngine:
    return VllmEngine(VllmSettings(base_url=url, model="m", api_key="k", backoff_seconds=0.001, **changes))


async def test_wire_double_token_ids_in_and_out() -> None:
    async with server(lambda body: completion([8, 2])) as (url, seen):
        generation = await engine(url).generate(REQUEST)
    assert generation == ([8, 2], [-0.25, -0.25], "stop")
    assert seen == [
        {
            "path": "/v1/completions",
            "authorization": "Bearer k",
            "model": "m",
            "prompt": [5, 6, 7],
            "max_tokens": 4,
            "temperature": 0.5,
            "top_p": 1.0,
            "seed": 9,
            "stop_token_ids": [2],
            "logprobs": 0,
            "return_token_ids": True,
            "skip_special_tokens": False,
        }
    ]


async def test_wire_double_retries_busy_and_broken_servers() -> None:
    answers = iter([(429, {}), (503, {}), completion([8], "length")])
    async with server(lambda body: next(answers)) as (url, seen):
        generation = await engine(url).generate(REQUEST)
    assert generation.finish_reason == "length" and len(seen) == 3 and seen[0] == seen[2]


@pytest.mark.parametrize(
    ("answer", "message", "requests"),
    [
        ((500, {"error": "boom"}), "refused with status 500.*boom", 3),
        ((400, {"error": "too long"}), "refused with status 400.*too long", 1),
        (completion([8], token_ids=None), "without 'choices.0.token_ids'.*vLLM 0.10.2", 1),
        (completion([8], logprobs=None), "without 'choices.0.logprobs'", 1),
        (completion([8, 9], logprobs={"token_logprobs": [-1.0]}), "2 token ids with 1 log-probs", 1),
        (completion([8], "abort"), "broke off the generation: abort", 1),
        ((200, {"choices": []}), "without 'choices'", 1),
    ],
)
async def test_wire_double_errors_are_typed(answer: Answer, message: str, requests: int) -> None:
    async with server(lambda body: answer) as (url, seen):
        with pytest.raises(EngineError, match=message):
            await engine(url, retries=2).generate(REQUEST)
    assert len(seen) == requests


async def test_nobody_listening_names_the_url_and_the_mend() -> None:
    with pytest.raises(
        EngineError, match=r"endpoint down: http://127\.0\.0\.1:9/v1/completions.*is it running\? karl doctor"
    ):
        await engine("http://127.0.0.1:9/v1", retries=1).generate(REQUEST)


async def test_slow_server_is_a_timeout() -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    listener = await asyncio.start_server(hang, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1"
    with pytest.raises(EngineError, match="no answer in time"):
        await engine(url, retries=0, timeout_seconds=0.05).generate(REQUEST)
    listener.close()
