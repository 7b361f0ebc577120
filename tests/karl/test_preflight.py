"""Preflight: what contradicts the loss is told before anything is sampled."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphs.schema import BUILT_IN
from karl.preflight import check_graphs
from karl.run_config import make_config
from karl.settings import Settings
from store.errors import UsageError
from tests.karl.kit import random_policy


def graphs(folder: Path, graph: str, sampling: str) -> Settings:
    """Settings whose own graph `graph` samples otherwise."""
    folder.mkdir()
    shipped = (BUILT_IN / f"{graph}.yaml").read_text(encoding="utf-8")
    changed = shipped.replace("temperature: 1.0}", sampling)
    assert changed != shipped
    (folder / f"{graph}.yaml").write_text(changed, encoding="utf-8")
    return Settings.model_validate({"graph_path": [folder]})


@pytest.mark.parametrize(
    ("sampling", "key", "value"),
    [("temperature: 0.7}", "temperature", "0.7"), ("temperature: 1.0, top_p: 0.95}", "top_p", "0.95")],
)
def test_a_solver_that_samples_otherwise_than_the_loss_expects(tmp_path: Path, sampling: str, key: str, value: str):
    config = make_config({"corpus": "notes", "base": random_policy(tmp_path / "base")})
    said = rf"solver\.yaml:\d+:\d+: key 'sampling\.{key}': {value}, but .*set {key}: 1\.0 under sampling in"
    with pytest.raises(UsageError, match=said):
        check_graphs(config, settings=graphs(tmp_path / "graphs", "solver", sampling))


def test_a_task_that_no_graph_of_the_run_knows(tmp_path: Path):
    base = random_policy(tmp_path / "base")
    check_graphs(make_config({"corpus": "notes", "base": base, "tasks": ["freshstack"]}), settings=Settings())
    with pytest.raises(UsageError, match=r"no task 'freshstak' in .*solver.*; did you mean 'freshstack'"):
        check_graphs(make_config({"corpus": "notes", "base": base, "tasks": ["freshstak"]}), settings=Settings())


def test_other_graphs_may_sample_as_they_like(tmp_path: Path):
    config = make_config({"corpus": "notes", "base": random_policy(tmp_path / "base")})
    check_graphs(config, settings=Settings.model_validate({}))
    check_graphs(config, settings=graphs(tmp_path / "graphs", "qa_generator", "temperature: 0.7, top_p: 0.9}"))
