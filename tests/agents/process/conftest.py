"""The model that the processes load."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agents.local.kit import qwen


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("model")
    qwen().save_pretrained(made)
    return made
