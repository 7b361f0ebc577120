"""The vLLM engine against a small local HTTP server that speaks the completions protocol (no vLLM is involved)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agents.engines.base import Delta, GenerateRequest, SamplingParams, StreamingEngine, joined
from agents.engines.settings import EndpointSettings
from agents.engines.vllm import VllmEngine
from agents.errors import EndpointError, EngineError
from tests.wire_double import CUT, Answer, chunks, completion, server

REQUEST = GenerateRequest([5, 6, 7], SamplingParams(max_tokens=4, temperature=0.5, stop_ids=(2,), seed=9))


def engine(url: str, **changes: Any) -> VllmEngine:
    return VllmEngine(EndpointSettings(base_url=url, model="m", api_key="k", **changes))


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
            "top_k": 0,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
        }
    ]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(400, {"error": "too long"}), "refused with status 400.*too long"),
        (completion([8], token_ids=None), "without a readable 'choices.0.token_ids'.*vLLM 0.10.2"),
        (completion([8], logprobs=None), "without a readable 'choices.0.logprobs'"),
        (completion([8, 9], logprobs={"token_logprobs": [-1.0]}), "2 token ids with 1 log-probs"),
        (completion([8], "abort"), "broke off the generation: abort"),
        (completion([8], prompt_token_ids=[1, 5, 6, 7]), "read 4 prompt tokens, other than the 3 sent"),
        (Answer(200, {"choices": []}), "without a readable 'choices'"),
    ],
)
async def test_wire_double_what_no_other_server_would_mend(answer: Answer, message: str) -> None:
    async with server(lambda body: answer) as (url, seen):
        with pytest.raises(EngineError, match=message) as raised:
            await engine(url).generate(REQUEST)
    assert len(seen) == 1 and not isinstance(raised.value, EndpointError)


@pytest.mark.parametrize(
    ("answer", "message", "retry_after"),
    [
        (Answer(500, {"error": "boom"}), "refused with status 500.*boom", None),
        (Answer(429, {}, {"Retry-After": "2.5"}), "refused with status 429", 2.5),
        (Answer(503, {}, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}), "refused with status 503", 0.0),
        (Answer(503, {}, {"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}), "refused with status 503", 300.0),
        (Answer(503, {}, {"Retry-After": "soon"}), "refused with status 503", None),
        (CUT, "connection lost", None),
    ],
)
async def test_wire_double_a_server_in_trouble(answer: Answer, message: str, retry_after: float | None) -> None:
    async with server(lambda body: answer) as (url, seen):
        with pytest.raises(EndpointError, match=message) as raised:
            await engine(url).generate(REQUEST)
    assert (raised.value.retry_after, raised.value.down, len(seen)) == (retry_after, False, 1)


async def test_nobody_listening_names_the_url_and_the_mend() -> None:
    with pytest.raises(
        EndpointError, match=r"endpoint down: http://127\.0\.0\.1:9/v1/completions.*is it running\? karl doctor"
    ) as raised:
        await engine("http://127.0.0.1:9/v1").generate(REQUEST)
    assert raised.value.down


async def test_slow_server_is_a_timeout() -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    listener = await asyncio.start_server(hang, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1"
    with pytest.raises(EndpointError, match="no answer in time"):
        await engine(url, timeout_seconds=0.05).generate(REQUEST)
    listener.close()


async def heard(opened: StreamingEngine) -> list[Delta]:
    return [delta async for delta in opened.stream(REQUEST)]


async def test_wire_double_streams_token_ids() -> None:
    async with server(lambda body: Answer(200, chunks([8, 9], [7], [2]))) as (url, seen):
        opened = engine(url)
        assert isinstance(opened, StreamingEngine)
        deltas = await heard(opened)
    assert [delta.token_ids for delta in deltas] == [[8, 9], [7], [2]]
    assert joined(deltas) == ([8, 9, 7, 2], [-0.25] * 4, "stop")
    assert seen[0]["stream"] is True and seen[0]["return_token_ids"] is True


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (Answer(200, chunks([8], finish=None)), EndpointError, "connection lost|stream ended before it was done"),
        (Answer(200, [*chunks([8], finish=None), {"error": {"message": "dead"}}]), EndpointError, "broke off.*dead"),
        (Answer(503, {"error": "loading"}), EndpointError, "status 503.*loading"),
        (Answer(400, {"error": "too long"}), EngineError, "status 400.*too long"),
        (
            Answer(200, [{"choices": [{"text": "x"}]}, "[DONE]"]),
            EngineError,
            "without a readable 'choices.0.token_ids'",
        ),
    ],
)
async def test_wire_double_broken_streams(answer: Answer, error: type[EngineError], message: str) -> None:
    async with server(lambda body: answer) as (url, _):
        with pytest.raises(error, match=message) as raised:
            await heard(engine(url))
    assert type(raised.value) is error
