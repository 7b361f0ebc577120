"""Tokens while they are sampled: the same as without streaming; text that never breaks inside a character."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.chat_template import chat_template
from agents.detokenizer import Detokenizer
from agents.engines.base import Delta, joined
from agents.engines.local import LocalEngine
from agents.errors import EngineError
from agents.policy import load_tokenizer
from karl.tiny import POLICY_FOLDER
from tests.agents.local.kit import heard, qwen, random_prompt, request, soon
from tests.harness_kit import QWEN_TEMPLATE, byte_tokenizer, word_tokenizer


@pytest.fixture
async def engine() -> AsyncIterator[LocalEngine]:
    opened = LocalEngine(qwen(), max_rows=4, capacity=16)
    yield opened
    await soon(opened.aclose())


async def test_a_stream_is_the_generation_in_pieces(engine: LocalEngine) -> None:
    asked = request(random_prompt(9, seed=1), session="s", tokens=40, seed=3)
    whole = await soon(engine.generate(asked))
    deltas = await soon(heard(engine, asked))
    told = joined(deltas)
    assert told.token_ids == whole.token_ids and told.finish_reason == whole.finish_reason == "length"
    assert told.logprobs == pytest.approx(whole.logprobs, abs=1e-4)
    assert len(deltas) > 1 and all(delta.finish_reason is None for delta in deltas[:-1])


async def test_a_sampled_stop_id_ends_the_stream(engine: LocalEngine) -> None:
    stops = tuple(range(0, 61, 2))
    told = joined(await soon(heard(engine, request(random_prompt(9, seed=1), tokens=200, stop_ids=stops, seed=1))))
    assert told.finish_reason == "stop" and told.token_ids[-1] in stops
    assert not set(told.token_ids[:-1]) & set(stops)


async def test_streams_and_plain_requests_side_by_side(engine: LocalEngine) -> None:
    asked = [request(random_prompt(4 + n, seed=n), tokens=12 + n, seed=n) for n in range(9)]
    plain = [await soon(engine.generate(item)) for item in asked]
    mixed = await soon(
        asyncio.gather(*(heard(engine, item) if n % 2 else engine.generate(item) for n, item in enumerate(asked)))
    )
    for n, (alone, among) in enumerate(zip(plain, mixed, strict=True)):
        told = joined(among) if n % 2 else among
        assert told.token_ids == alone.token_ids


async def test_a_stream_that_is_closed_early_frees_its_row(engine: LocalEngine) -> None:
    """Four rows: were one lost each time, the fifth request would wait for ever."""
    for number in range(9):
        async with aclosing(engine.stream(request([1, 2, 3], session=f"s{number}", tokens=400))) as stream:
            first = await soon(anext(stream))
            assert 1 <= len(first.token_ids) < 400 and first.finish_reason is None
    again = await soon(engine.generate(request([4, 5], tokens=3)))
    assert len(again.token_ids) == 3


async def test_a_bad_request_and_a_closing_engine_are_errors_of_the_stream() -> None:
    opened = LocalEngine(qwen(), max_rows=2, capacity=16)
    with pytest.raises(EngineError, match="empty prompt"):
        await soon(heard(opened, request([])))
    running = asyncio.create_task(heard(opened, request([1], tokens=100_000)))
    await asyncio.sleep(0.05)
    await soon(opened.aclose())
    with pytest.raises(EngineError, match="closed while a request was running"):
        await soon(running)


def test_a_stream_without_an_end_is_refused() -> None:
    with pytest.raises(ValueError, match="2 tokens ended without a finish reason"):
        joined([Delta([1, 2], [0.0, 0.0])])


# -- text ------------------------------------------------------------------------------------------------------------

TEXTS = ["naïve café", "日本語 テキスト", "🙂🙃 ok", "<search>Åse in Tromsø</search>", "a\u0301 e\u0301"]
TOKENIZERS = {
    "bytes": byte_tokenizer(),
    "qwen glue": byte_tokenizer(QWEN_TEMPLATE),
    "words": word_tokenizer(["mira", "leads", "falcon"]),
    "embedded policy": load_tokenizer(POLICY_FOLDER),
}


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize("text", TEXTS)
def test_no_piece_ends_inside_a_character(name: str, text: str) -> None:
    template = chat_template(TOKENIZERS[name])
    ids, stream = template.encode(text), Detokenizer(template.decode)
    pieces = [stream.push([token]) for token in ids]
    assert not any("\ufffd" in piece for piece in pieces)
    assert "".join(pieces) + stream.finish() == template.decode(ids)


@pytest.mark.parametrize("name", TOKENIZERS)
@given(seed=st.integers(0, 2**32), length=st.integers(0, 60))
def test_pieces_of_any_tokens_concatenate_to_the_whole(name: str, seed: int, length: int) -> None:
    """Sampled tokens need not spell characters at all: broken bytes come out as the decoder writes them."""
    template, draw = chat_template(TOKENIZERS[name]), random.Random(seed)
    ids = [draw.randrange(len(TOKENIZERS[name])) for _ in range(length)]
    stream, pieces, at = Detokenizer(template.decode), [], 0
    while at < length:
        step = draw.randint(1, 5)
        pieces.append(stream.push(ids[at : at + step]))
        at += step
    assert "".join(pieces) + stream.finish() == template.decode(ids)


def test_a_growing_text_is_not_decoded_from_its_start_again() -> None:
    template = chat_template(TOKENIZERS["bytes"])
    decoded: list[int] = []

    def decode(ids: Sequence[int]) -> str:
        decoded.append(len(ids))
        return template.decode(ids)

    stream = Detokenizer(decode)
    for token in template.encode("abc" * 1_000):
        stream.push([token])
    assert max(decoded) <= 4
