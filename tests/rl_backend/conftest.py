"""One random base policy for all tests that train."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rl_backend.toy import make_base


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("toy") / "base")
