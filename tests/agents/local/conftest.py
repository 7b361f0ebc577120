"""The engine that most tests ask."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from agents.engines.local import LocalEngine
from tests.agents.local.kit import qwen, soon


@pytest.fixture
async def engine() -> AsyncIterator[LocalEngine]:
    opened = LocalEngine(qwen(), max_rows=4, capacity=16)
    yield opened
    await soon(opened.aclose())
