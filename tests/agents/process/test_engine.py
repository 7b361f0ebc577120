"""The engine in processes of its own says what the engine here would say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agents.engines.base import GenerateRequest, StreamingEngine, joined
from agents.engines.local import LocalEngine
from agents.engines.process import ModelSpec, ProcessEngine
from agents.errors import EngineError
from store.errors import UsageError
from tests.agents.local.kit import VOCAB, assert_agrees, heard, qwen, random_prompt, request, soon
from tests.agents.process.kit import loaded


@pytest.fixture
async def engine(folder: Path) -> AsyncIterator[ProcessEngine]:
    opened = loaded(folder, processes=2)
    yield opened
    await soon(opened.aclose())


async def test_the_tokens_of_the_engine_here(engine: ProcessEngine) -> None:
    asked = [request(random_prompt(3 + n, seed=n), session=str(n), tokens=12, seed=n) for n in range(12)]
    local = LocalEngine(qwen(), max_rows=8)
    here = [await soon(local.generate(item)) for item in asked]
    there = await soon(asyncio.gather(*(engine.generate(item) for item in asked)))
    await soon(local.aclose())
    for item, one, other in zip(asked, here, there, strict=True):
        assert one.token_ids == other.token_ids and one.finish_reason == other.finish_reason
        assert_agrees(qwen(), list(item.prompt_ids), other)


async def test_streams_are_the_generation_in_pieces(engine: ProcessEngine) -> None:
    assert isinstance(engine, StreamingEngine)
    asked = request(random_prompt(9, seed=1), session="s", tokens=60, seed=3)
    whole = await soon(engine.generate(asked))
    told = joined(await soon(heard(engine, asked)))
    assert told.token_ids == whole.token_ids and told.finish_reason == "length"
    assert told.logprobs == pytest.approx(whole.logprobs, abs=1e-4)


async def test_conversations_stay_where_they_began_and_are_spread(engine: ProcessEngine) -> None:
    for n in range(6):
        await soon(engine.generate(request([n + 1, 2], session=f"s{n}", tokens=2)))
    assert [replica.held for replica in engine._replicas] == [3, 3]
    before = dict(engine._places)
    for n in range(6):
        await soon(engine.generate(request([n + 1, 2, 3], session=f"s{n}", tokens=2)))
    fork = GenerateRequest([1, 2, 3], request([1]).sampling, "fork", fork_of="s0")
    await soon(engine.generate(fork))
    assert {name: engine._places[name] for name in before} == before
    assert engine._places["fork"] is before["s0"]
    for name in list(engine._places):
        engine.release(name)
    assert [replica.held for replica in engine._replicas] == [0, 0] and not engine._places


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_bad_request_fails_alone(engine: ProcessEngine, streamed: bool) -> None:
    good = asyncio.ensure_future(engine.generate(request([1, 2, 3], tokens=20)))
    wrong = request([1, VOCAB])
    with pytest.raises(EngineError, match=f"0 to {VOCAB - 1}"):
        await soon(heard(engine, wrong) if streamed else engine.generate(wrong))
    assert len((await soon(good)).token_ids) == 20
    assert sum(replica.held for replica in engine._replicas) == 0


@pytest.mark.parametrize("streamed", [False, True])
async def test_what_is_given_up_frees_its_row(engine: ProcessEngine, streamed: bool) -> None:
    """Four rows a process: were they lost, the last request would wait for ever."""
    endless = [request([n, 3], session=str(n), tokens=50_000) for n in range(8)]
    tasks = [asyncio.ensure_future(heard(engine, e) if streamed else engine.generate(e)) for e in endless]
    await asyncio.sleep(0.1)
    for task in tasks:
        task.cancel()
    await soon(asyncio.gather(*tasks, return_exceptions=True))
    again = await soon(asyncio.gather(*(engine.generate(request([4, n], tokens=3)) for n in range(8))))
    assert all(len(generation.token_ids) == 3 for generation in again)


async def test_closing_fails_what_is_under_way_and_what_comes_later(folder: Path) -> None:
    opened = loaded(folder)
    running = asyncio.ensure_future(opened.generate(request([1], tokens=50_000)))
    await asyncio.sleep(0.1)
    await soon(opened.aclose())
    with pytest.raises(EngineError, match="closed"):
        await soon(running)
    with pytest.raises(EngineError, match="closed"):
        await soon(opened.generate(request([1])))
    await soon(opened.aclose())


async def test_a_model_that_is_given_up_while_it_loads_does_not_stay(folder: Path) -> None:
    opened = ProcessEngine(ModelSpec(str(folder), "tiny", "cpu", max_rows=4))
    await soon(opened.aclose())
    opened.wait()  # the load itself had begun, and ends
    with pytest.raises(EngineError, match="closed"):
        await soon(opened.generate(request([1])))


def test_one_engine_in_one_loop_after_another(folder: Path) -> None:
    opened = loaded(folder)
    said = [asyncio.run(opened.generate(request([5, 6], tokens=6, seed=1))).token_ids for _ in range(2)]
    asyncio.run(opened.aclose())
    assert said[0] == said[1] and len(said[0]) == 6


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(UsageError, match="no readable model folder"):
        loaded(tmp_path)
