"""Prompts of unlike length are computed in passes of little padding; each conversation's tokens once."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.engines.local import LocalEngine
from agents.engines.local.cached_model import LARGE_PASS, PADDING, SMALL_PASS, spans
from tests.agents.local.kit import assert_agrees, qwen, random_prompt, request, soon


@given(st.lists(st.integers(1, 9_000), min_size=1, max_size=60).map(sorted))
def test_passes_cover_the_rows_in_order_with_little_padding(widths: list[int]):
    cut = spans(widths)
    assert [index for begin, end in cut for index in range(begin, end)] == list(range(len(widths)))
    for begin, end in cut:
        padded = (end - begin) * max(widths[begin:end])
        assert end - begin == 1 or padded <= max(SMALL_PASS, PADDING * sum(widths[begin:end]))
        assert end - begin == 1 or padded <= LARGE_PASS


@pytest.mark.parametrize(
    ("widths", "cut"),
    [
        ([5], [(0, 1)]),
        ([1, 60, 60, 60], [(0, 4)]),  # small: one pass costs less than two
        ([20] * 30 + [200] * 30, [(0, 30), (30, 60)]),
        ([20_000, 20_000], [(0, 1), (1, 2)]),
    ],
)
def test_where_it_is_cut(widths: list[int], cut: list[tuple[int, int]]):
    assert spans(widths) == cut


async def test_unlike_prompts_at_once_agree_with_the_plain_model_and_are_computed_once():
    """As many conversations as rows: no turn finds its beginning evicted."""
    plain, opened = qwen(), LocalEngine(qwen(), max_rows=24, capacity=8)
    total = 0

    async def converse(number: int) -> None:
        nonlocal total
        prompt = random_prompt(2 + (37 * number) % 150, seed=number)
        for turn in range(3):
            generation = await opened.generate(request(prompt, session=f"s{number}", tokens=3, seed=number + turn))
            assert_agrees(plain, prompt, generation)
            prompt = [*prompt, *generation.token_ids, *random_prompt(1 + (29 * number + turn) % 70, seed=turn)]
        total += len(prompt)

    try:
        before = opened.tokens_computed
        await soon(asyncio.gather(*(converse(number) for number in range(24))))
        assert opened.tokens_computed - before <= total
    finally:
        await soon(opened.aclose())
