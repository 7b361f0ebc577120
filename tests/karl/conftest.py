"""What runs over an endpoint share: a folder with notes to read and questions that were asked about them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.karl.loop_kit import LEADERS, write_leaders


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with `notes/` and `asked.jsonl`, and none of the machine's own settings."""
    for name in [name for name in os.environ if name.startswith("KARL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    write_leaders(tmp_path / "notes")
    lines = [{"question": f"who leads {product}?", "answer": person} for product, person in [*LEADERS.items()][:3]]
    (tmp_path / "asked.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return tmp_path
