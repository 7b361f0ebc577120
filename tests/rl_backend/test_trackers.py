"""Figures reach TensorBoard and W&B for real; MLflow for real where it is installed, and by a double everywhere."""

from __future__ import annotations

import importlib.util
import json
import logging
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from rl_backend import trackers
from rl_backend.config import TrainConfig
from rl_backend.hooks import Evaluation, Hooks
from rl_backend.source import MemorySource
from rl_backend.trackers import check_trackers, tracked
from rl_backend.train import train
from store.errors import KarlError, UsageError
from tests.rl_backend.toy import random_rollouts

CONFIG = TrainConfig(lr=1e-3, epochs=2, batch_rollouts=8, threads=1, trackers=("tensorboard",))


def scalars(folder: Path, name: str) -> dict[int, float]:
    """What TensorBoard would show of one curve."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {event.step: event.value for event in events.Scalars(name)}


def told(config: TrainConfig, folder: Path, *, begin: int = 0, values: list[float]) -> None:
    """A training by hand: begins behind step `begin`, then one step per value."""
    with tracked(Hooks(), config=config, out=folder / "out", state=folder / "out.training") as hooks:
        hooks.on_start(begin, 9)
        for step, value in enumerate(values, begin + 1):
            hooks.on_step(step, 9, {"loss": value})


def test_a_trainings_figures_are_in_tensorboard(base: Path, tmp_path: Path):
    seen: list[dict[str, float]] = []
    hooks = Hooks(
        on_step=lambda step, steps, figures: seen.append(figures),
        evaluate=lambda epoch, step, folder: Evaluation(score=0.1 * step, unfinished=0.25),
    )
    train(MemorySource(random_rollouts(base)), base=base, out=tmp_path / "out", config=CONFIG, hooks=hooks)
    folder = tmp_path / "tensorboard" / "out"
    for name in ("loss", "grad_norm", "logratio_winners", "kl_reverse", "weighted_reward", "tokens_per_second"):
        expected = {step: figures[name] for step, figures in enumerate(seen, 1)}
        assert scalars(folder, f"train/{name}") == pytest.approx(expected, rel=1e-6)
    assert scalars(folder, "evaluation/score") == pytest.approx({3: 0.3, 6: 0.6})
    assert not (tmp_path / "out.training").exists()


def test_a_resumed_training_hides_what_it_does_again(tmp_path: Path):
    told(CONFIG, tmp_path, values=[1.0, 2.0, 3.0])
    told(CONFIG, tmp_path, begin=1, values=[20.0])
    assert scalars(tmp_path / "tensorboard" / "out", "train/loss") == {1: 1.0, 2: 20.0}


def test_the_caller_hears_all_that_it_heard_before(tmp_path: Path):
    heard: list[Any] = []
    hooks = Hooks(on_start=lambda *of: heard.append(of), on_step=lambda *of: heard.append(of), should_stop=lambda: True)
    with tracked(hooks, config=CONFIG, out=tmp_path / "out", state=tmp_path / "state") as wrapped:
        wrapped.on_start(0, 2)
        wrapped.on_step(1, 2, {"loss": 1.0})
        assert wrapped.should_stop() and not wrapped.evaluates
    assert heard == [(0, 2), (1, 2, {"loss": 1.0})]


def test_without_trackers_nothing_is_wrapped_or_written(tmp_path: Path):
    hooks = Hooks()
    with tracked(hooks, config=TrainConfig(), out=tmp_path / "out", state=tmp_path / "state") as same:
        assert same is hooks
    assert list(tmp_path.iterdir()) == []


def test_other_ranks_tell_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(trackers, "rank", lambda: 1)
    told(CONFIG, tmp_path, values=[1.0])
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named_before_the_training_starts(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "mlflow" else find(name))
    config = CONFIG.model_copy(update={"trackers": ("tensorboard", "mlflow")})
    with pytest.raises(UsageError, match=r"not installed: mlflow-skinny\. Install: pip install mlflow-skinny"):
        train(MemorySource([]), base=base, out=tmp_path / "out", config=config)


def test_wandb_writes_a_run_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    import wandb

    monkeypatch.setenv("WANDB_MODE", "offline")
    config = CONFIG.model_copy(update={"trackers": ("wandb",)})
    told(config, tmp_path, values=[0.5, 0.25])
    wandb.teardown()  # its service writes the end of the file when it goes
    (run,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    assert b"train/loss" in run.read_bytes()
    first = json.loads((tmp_path / "out.training" / "trackers.json").read_text())["wandb"]
    assert first in run.name
    told(config, tmp_path, begin=2, values=[0.1])
    wandb.teardown()
    assert json.loads((tmp_path / "out.training" / "trackers.json").read_text())["wandb"] == first
    assert capfd.readouterr().out == ""


def test_a_tracker_that_refuses_ends_the_training_at_its_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "mlflow", mlflow_double([], refuses="no such server"))
    monkeypatch.setitem(sys.modules, "mlflow.entities", entities_double())
    config = CONFIG.model_copy(update={"trackers": ("mlflow",)})
    with pytest.raises(UsageError, match=r"mlflow could not begin: no such server\. Set MLFLOW_TRACKING_URI"):
        told(config, tmp_path, values=[])


def test_mlflow_is_called_as_its_client_asks_by_a_double(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    calls: list[Any] = []
    monkeypatch.setitem(sys.modules, "mlflow", mlflow_double(calls))
    monkeypatch.setitem(sys.modules, "mlflow.entities", entities_double())
    config = CONFIG.model_copy(update={"trackers": ("mlflow",)})
    told(config, tmp_path, values=[0.5])
    told(config, tmp_path, begin=1, values=[0.25])
    assert [call for call in calls if call[0] != "param"] == [
        ("create", "out"),
        ("metrics", "run-1", [("train/loss", 0.5, 1)]),
        ("end", "run-1", "FINISHED"),
        ("update", "run-1", "RUNNING"),
        ("metrics", "run-1", [("train/loss", 0.25, 2)]),
        ("end", "run-1", "FINISHED"),
    ]
    assert ("param", "run-1", "lr", 1e-3) in calls
    with (
        pytest.raises(KarlError),
        tracked(Hooks(), config=config, out=tmp_path / "out", state=tmp_path / "other") as hooks,
    ):
        hooks.on_start(0, 9)
        raise KarlError("collapsed")
    assert calls[-1] == ("end", "run-1", "FAILED")


def test_a_server_that_goes_away_costs_the_curves_and_not_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setitem(sys.modules, "mlflow", mlflow_double([], breaks="connection refused"))
    monkeypatch.setitem(sys.modules, "mlflow.entities", entities_double())
    config = CONFIG.model_copy(update={"trackers": ("mlflow", "tensorboard")})
    with caplog.at_level(logging.WARNING):
        told(config, tmp_path, values=[0.5, 0.25])
    assert caplog.text.count("mlflow failed and gets no more figures of this training: connection refused") == 1
    assert scalars(tmp_path / "tensorboard" / "out", "train/loss") == {1: 0.5, 2: 0.25}


@pytest.mark.skipif(importlib.util.find_spec("mlflow") is None, reason="pip install mlflow-skinny")
def test_mlflow_keeps_the_figures_in_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import mlflow  # pyright: ignore[reportMissingImports]

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    config = CONFIG.model_copy(update={"trackers": ("mlflow",)})
    told(config, tmp_path, values=[0.5])
    told(config, tmp_path, begin=1, values=[0.25])
    run_id = json.loads((tmp_path / "out.training" / "trackers.json").read_text())["mlflow"]
    client = mlflow.MlflowClient()
    history = {metric.step: metric.value for metric in client.get_metric_history(run_id, "train/loss")}
    assert history == {1: 0.5, 2: 0.25}
    assert client.get_run(run_id).info.status == "FINISHED"
    assert client.get_run(run_id).data.params["beta2"] == "0.1"


def test_every_tracker_that_a_recipe_may_name_is_there():
    names = TrainConfig.model_json_schema()["properties"]["trackers"]["items"]["enum"]
    assert set(names) == set(trackers.PACKAGES) == set(trackers.MENDS)
    check_trackers(TrainConfig())


def mlflow_double(calls: list[Any], *, refuses: str = "", breaks: str = "") -> ModuleType:
    """A double of mlflow's client: only the calls that we make, which it writes down."""

    class Client:
        def create_run(self, experiment: str, run_name: str) -> Any:
            if refuses:
                raise RuntimeError(refuses)
            calls.append(("create", run_name))
            return SimpleNamespace(info=SimpleNamespace(run_id="run-1"))

        def update_run(self, run_id: str, status: str) -> None:
            calls.append(("update", run_id, status))

        def log_param(self, run_id: str, key: str, value: Any) -> None:
            calls.append(("param", run_id, key, value))

        def log_batch(self, run_id: str, metrics: list[Any]) -> None:
            if breaks:
                raise ConnectionError(breaks)
            calls.append(("metrics", run_id, [(name, value, step) for name, value, _, step in metrics]))

        def set_terminated(self, run_id: str, status: str) -> None:
            calls.append(("end", run_id, status))

    double: Any = ModuleType("mlflow")
    double.MlflowClient = Client
    double.set_experiment = lambda name: SimpleNamespace(experiment_id=name)
    return double


def entities_double() -> ModuleType:
    double: Any = ModuleType("mlflow.entities")
    double.Metric = lambda name, value, timestamp, step: (name, value, timestamp, step)
    return double
