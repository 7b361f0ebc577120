"""Where a checkpoint is sampled: in how many processes, or in this one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from agents.engines.local import LocalEngine
from agents.engines.process import ProcessEngine
from karl import policies
from karl.policies import open_policy
from karl.settings import Settings
from karl.tiny import POLICY_FOLDER


@pytest.mark.parametrize(
    ("settings", "many", "cores", "processes"),
    [
        ({}, True, 2, 2),
        ({}, False, 2, 1),  # one conversation
        ({}, True, 1, 1),
        ({"concurrency": 4}, True, 2, 1),
        ({"device": "cuda"}, True, 2, 1),
        ({"engine_processes": 3}, False, 2, 3),
        ({"engine_processes": 0}, True, 2, 0),
    ],
)
def test_how_many_processes(
    settings: dict[str, Any], many: bool, cores: int, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert policies._processes(POLICY_FOLDER, settings=Settings(**settings), many=many) == processes


def test_a_large_model_is_in_memory_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    with (tmp_path / "model.safetensors").open("wb") as weights:
        weights.truncate(policies.SMALL_POLICY + 1)
    assert policies._processes(tmp_path, settings=Settings(), many=True) == 1


@pytest.mark.parametrize(("processes", "kind"), [(0, LocalEngine), (1, ProcessEngine)])
async def test_the_engine_is_opened_there(processes: int, kind: type) -> None:
    policy = open_policy(POLICY_FOLDER, settings=Settings(engine_processes=processes))
    assert isinstance(policy.engine, kind) and policy.engine.model == "karl-tiny"
    await policy.engine.aclose()
