"""Every step's figures to TensorBoard, W&B or MLflow, beside the store. Each package is imported when it is asked for.

A training that goes on after a kill goes on in the same W&B and MLflow run: their ids lie beside its state until it is
done. verl's own `Tracking` is not used: it prints, goes on without MLflow when that fails, and cannot resume a run.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from rl_backend.config import TrainConfig
from rl_backend.hooks import Evaluation, Hooks
from rl_backend.ranks import rank
from store.errors import UsageError

logger = logging.getLogger(__name__)

PROJECT = "karl"
FILE = "trackers.json"
PACKAGES = {"tensorboard": "tensorboard", "wandb": "wandb", "mlflow": "mlflow-skinny"}
MENDS = {
    "tensorboard": "Is the folder writable?",
    "wandb": "Run `wandb login`, or set WANDB_MODE=offline.",
    "mlflow": "Set MLFLOW_TRACKING_URI to a server or to sqlite:///mlflow.db.",
}


class Tracker(Protocol):
    """Of one run. `id`: what it is found again by, where it can be."""

    id: str | None

    def log(self, step: int, figures: dict[str, float]) -> None: ...
    def close(self, *, well: bool) -> None: ...


class TrackedRun(NamedTuple):
    """A training as trackers see it; `step` is where it begins, `id` that of the same run before it was killed."""

    name: str
    folder: Path
    settings: dict[str, Any]
    step: int
    id: str | None


def check_trackers(config: TrainConfig) -> None:
    """Raise UsageError with the mend for a tracker whose package is missing."""
    missing = [PACKAGES[name] for name in config.trackers if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            f"trackers = {list(config.trackers)}: not installed: {', '.join(missing)}. Install: pip install "
            f"{' '.join(missing)}"
        )


@contextmanager
def tracked(hooks: Hooks, *, config: TrainConfig, out: Path, state: Path) -> Iterator[Hooks]:
    """The hooks, with every figure told to the trackers too. `state`: the folder of what a training goes on from."""
    if not config.trackers or rank() != 0:
        yield hooks
        return
    board = _Board(hooks, config, out, state)
    told = replace(hooks, on_start=board.start, on_step=board.step)
    try:
        yield replace(told, evaluate=board.evaluate) if hooks.evaluates else told
    except BaseException:
        board.close(well=False)
        raise
    board.close(well=True)


@dataclass(slots=True)
class _Board:
    hooks: Hooks
    config: TrainConfig
    out: Path
    state: Path
    trackers: dict[str, Tracker] = field(default_factory=dict)

    def start(self, step: int, steps: int) -> None:
        """Open the trackers where the training begins. Raises UsageError when one refuses."""
        self.hooks.on_start(step, steps)
        ids = _read_ids(self.state / FILE) if step else {}
        settings = self.config.model_dump(mode="json")
        for name in self.config.trackers:
            run = TrackedRun(self.out.name, self.out.parent, settings, step, ids.get(name))
            try:
                self.trackers[name] = _BEGIN[name](run)
            except Exception as exc:
                raise UsageError(f"trackers: {name} could not begin: {exc}. {MENDS[name]}") from exc
        self.state.mkdir(parents=True, exist_ok=True)
        (self.state / FILE).write_text(json.dumps({name: each.id for name, each in self.trackers.items()}))

    def step(self, step: int, steps: int, figures: dict[str, float]) -> None:
        self.hooks.on_step(step, steps, figures)
        self._log(step, {f"train/{name}": value for name, value in figures.items()})

    def evaluate(self, epoch: int, step: int, folder: Path) -> Evaluation | None:
        found = self.hooks.evaluate(epoch, step, folder)
        if found is not None:
            self._log(step, {f"evaluation/{name}": value for name, value in found._asdict().items()})
        return found

    def close(self, *, well: bool) -> None:
        for name in list(self.trackers):
            with self._survived(name):
                self.trackers.pop(name).close(well=well)

    def _log(self, step: int, figures: dict[str, float]) -> None:
        for name, tracker in list(self.trackers.items()):
            with self._survived(name):
                tracker.log(step, figures)

    @contextmanager
    def _survived(self, name: str) -> Iterator[None]:
        """A server that went away costs its curves, not the training: the figures are in the store."""
        try:
            yield
        except Exception as exc:
            logger.warning("%s failed and gets no more figures of this training: %s", name, exc)
            self.trackers.pop(name, None)


class _TensorBoard:
    """Event files in `<folder of the checkpoint>/tensorboard/<its name>`."""

    id: str | None = None

    def __init__(self, run: TrackedRun) -> None:
        from torch.utils.tensorboard import SummaryWriter

        # What was written behind the state that the training goes on from is hidden.
        purged = run.step + 1 if run.step else None
        self._writer = SummaryWriter(str(run.folder / "tensorboard" / run.name), purge_step=purged)
        self._writer.add_text("settings", json.dumps(run.settings, indent=2), run.step)

    def log(self, step: int, figures: dict[str, float]) -> None:
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def close(self, *, well: bool) -> None:
        self._writer.close()


class _Wandb:
    """Server, account, mode and entity come from W&B's own environment variables."""

    def __init__(self, run: TrackedRun) -> None:
        import wandb

        self._run = wandb.init(
            project=PROJECT,
            name=run.name,
            id=run.id,
            resume="allow" if run.id else None,
            config=run.settings,
            dir=str(run.folder),
            settings=wandb.Settings(console="off", silent=True),
        )
        self.id: str | None = self._run.id

    def log(self, step: int, figures: dict[str, float]) -> None:
        self._run.log(figures, step=step)

    def close(self, *, well: bool) -> None:
        self._run.finish(exit_code=0 if well else 1)


class _Mlflow:
    """The server is that of MLFLOW_TRACKING_URI."""

    def __init__(self, run: TrackedRun) -> None:
        import mlflow  # pyright: ignore[reportMissingImports] - an extra
        from mlflow.entities import Metric  # pyright: ignore[reportMissingImports]

        # The client, not mlflow's current run: that is the application's.
        self._client, self._metric = mlflow.MlflowClient(), Metric
        if run.id is None:
            experiment = mlflow.set_experiment(PROJECT).experiment_id
            self.id: str | None = self._client.create_run(experiment, run_name=run.name).info.run_id
            for key, value in run.settings.items():
                self._client.log_param(self.id, key, value)
        else:
            self.id = run.id
            self._client.update_run(self.id, status="RUNNING")

    def log(self, step: int, figures: dict[str, float]) -> None:
        now = int(time.time() * 1000)
        metrics = [self._metric(name, value, now, step) for name, value in figures.items()]
        self._client.log_batch(self.id, metrics=metrics)

    def close(self, *, well: bool) -> None:
        self._client.set_terminated(self.id, status="FINISHED" if well else "FAILED")


_BEGIN: dict[str, Callable[[TrackedRun], Tracker]] = {"tensorboard": _TensorBoard, "wandb": _Wandb, "mlflow": _Mlflow}


def _read_ids(file: Path) -> dict[str, str]:
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError) as exc:
        logger.warning("%s: %s; the trackers begin a new run", file, exc)
        return {}
