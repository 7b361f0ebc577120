"""Train a value model: graded rollouts and a policy's checkpoint in; a folder that serves, and its figures, out.

Questions are split in two; after every epoch the validation side decides which weights are the best, and when to stop.
Everything else is as for a policy (`train`): streamed, resumed exactly, nothing at `out` unless it succeeds.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rl_backend.checkpoint import atomic_folder, check_model_folder, weights_sha256
from rl_backend.config import TrainConfig
from rl_backend.hooks import Evaluation, Hooks
from rl_backend.identity import FREE, identity_of
from rl_backend.index import Entry, TrainingIndex, build_index
from rl_backend.loader import Loader
from rl_backend.plan import Plan
from rl_backend.ranks import barrier, from_first, rank
from rl_backend.run import TrainingRun
from rl_backend.source import RolloutSource
from rl_backend.training_state import TRAINER, Progress, StateFolder
from rl_backend.value.config import ValueConfig
from rl_backend.value.figures import cross_fitted, fit_calibration, probabilities
from rl_backend.value.points import ValuePoints, measure_points
from rl_backend.value.report import value_report
from rl_backend.value.split import SideSource, split
from store.errors import UsageError
from store.value_record import ValueRecord, write_value_record


@dataclass(frozen=True, slots=True)
class ValueResult:
    """`out` and `record` are None when the training was stopped.

    losses: validation loss after each epoch that this process trained, nats a token.
    """

    steps: int
    planned_steps: int
    best_step: int | None
    losses: tuple[float, ...]
    questions: int
    rollouts: int
    dropped_segments: int
    trained_tokens: int
    seconds: float
    out: Path | None
    record: ValueRecord | None

    @property
    def stopped(self) -> bool:
        return self.out is None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value model comes from, for its record."""

    policy_version: int = 0
    dataset: str = ""


def train_value(
    source: RolloutSource,
    *,
    base: Path,
    out: Path,
    config: ValueConfig,
    origin: Origin = Origin(),
    hooks: Hooks | None = None,
) -> ValueResult:
    """Train on all graded rollouts of `source`, from a policy's weights or another value model's.

    `hooks.evaluate` is not asked: the validation loss decides. Raises UsageError for a bad `base`, too few questions,
    or rollouts that all ended alike; KarlError when the training diverges or the disk is full.
    """
    started = time.perf_counter()
    check_model_folder(base)
    settings = config.training
    sides = split(source, share=config.validation_share, seed=settings.seed)
    index = _targets(build_index(sides.training, config=settings), config)
    _check(sides.validation, index)
    loader, plan = Loader(sides.training, index, config=settings), Plan(index.entries, config=settings)
    losses: list[float] = []
    identity = identity_of(index, base=base, settings=config.model_dump_json(exclude={"training": FREE}))
    state = StateFolder(out, identity=identity, keep=settings.keep_checkpoints)
    told = _validated(hooks or Hooks(), sides.validation, config, losses)
    progress, done = _run(base, loader, plan, state, config=settings, hooks=told)
    record = (
        _finish(out, state, progress, sides.validation, _base_rate(index.entries), config, origin) if done else None
    )
    if done:
        state.clear()
    return ValueResult(
        steps=progress.steps,
        planned_steps=plan.step_count,
        best_step=progress.best_step,
        losses=tuple(losses),
        questions=index.groups,
        rollouts=len(index.entries),
        dropped_segments=index.dropped_segments,
        trained_tokens=progress.trained_tokens,
        seconds=time.perf_counter() - started,
        out=out if done else None,
        record=record,
    )


def measure(
    folder: Path, source: RolloutSource, *, config: ValueConfig, record: ValueRecord | None = None
) -> dict[str, Any]:
    """The figures of a value model on rollouts that it was not trained on. Raises: UsageError where there are none."""
    points = _points(folder, source, config)
    if record is None:
        return value_report(points)
    calibrated_P = probabilities(points.value_P, scale=record.scale, bias=record.bias)
    return value_report(points, calibrated_P=calibrated_P, base_rate=record.base_rate)


def _run(
    base: Path, loader: Loader, plan: Plan, state: StateFolder, *, config: TrainConfig, hooks: Hooks
) -> tuple[Progress, bool]:
    import torch

    from rl_backend.value.trainer import ValueTrainer

    threads = torch.get_num_threads()
    torch.set_num_threads(config.threads or threads)
    torch.manual_seed(config.seed)
    trainer = ValueTrainer(base, config=config, total_steps=plan.step_count)
    try:
        saved = state.latest()
        progress = saved.progress if saved is not None else Progress()
        if saved is not None:
            trainer.load_state(saved.folder / TRAINER)
        hooks.on_start(progress.steps, plan.step_count)
        done = TrainingRun(trainer, loader, plan, state, progress, config=config, hooks=hooks).run()
    finally:
        trainer.close()
        torch.set_num_threads(threads)
    return progress, done


def _validated(hooks: Hooks, validation: SideSource, config: ValueConfig, losses: list[float]) -> Hooks:
    def evaluate(epoch: int, step: int, folder: Path) -> Evaluation:
        points = _points(folder, validation, config)
        losses.append(float(points.token_loss_P.sum() / points.token_count_P.sum()))
        return Evaluation(score=-losses[-1])

    return replace(hooks, evaluate=evaluate)


def _points(folder: Path, source: RolloutSource, config: ValueConfig) -> ValuePoints:
    from rl_backend.value.model import load_value_model

    points = measure_points(
        load_value_model(folder).eval(),
        source,
        threshold=config.reward_threshold,
        limit=config.training.max_segment_tokens,
        budget=config.training.micro_batch_tokens,
    )
    if points is None:
        raise UsageError("no rollout to measure the value model on")
    return points


def _targets(index: TrainingIndex, config: ValueConfig) -> TrainingIndex:
    """The target stands where a policy's training has the advantage."""
    entries = [entry._replace(advantage=float(entry.reward >= config.reward_threshold)) for entry in index.entries]
    return replace(index, entries=entries)


def _base_rate(entries: Sequence[Entry]) -> float:
    """Share of the training tokens in correct rollouts: what a constant should say."""
    return sum(entry.trained * entry.advantage for entry in entries) / sum(entry.trained for entry in entries)


def _check(validation: SideSource, index: TrainingIndex) -> None:
    if next(validation.groups(), None) is None:
        raise UsageError(
            f"{index.groups} questions are too few to set a share of {validation.share:g} aside; "
            "raise validation_share, or take a larger dataset"
        )
    if len({entry.advantage for entry in index.entries}) < 2:
        which = "correct" if index.entries[0].advantage else "wrong"
        raise UsageError(f"all {len(index.entries)} rollouts to train on are {which}: there is nothing to tell apart")


def _finish(
    out: Path,
    state: StateFolder,
    progress: Progress,
    validation: SideSource,
    base_rate: float,
    config: ValueConfig,
    origin: Origin,
) -> ValueRecord:
    """The best epoch's weights at `out`, calibrated on the validation side, with the record beside them.

    The calibration that serves is fitted on all of that side; the figures are of fits on its other questions.
    """
    assert progress.best_step is not None  # every epoch is measured, and what `max_steps` ends inside one
    record = None
    if rank() == 0:
        best = state.folder(progress.best_step)
        points = _points(best, validation, config)
        calibration = fit_calibration(points.value_P, points.correct_P)
        record = ValueRecord(
            name=out.name,
            policy_version=origin.policy_version,
            reward_threshold=config.reward_threshold,
            scale=calibration.scale,
            bias=calibration.bias,
            base_rate=base_rate,
            dataset=origin.dataset,
            weights_sha256=weights_sha256(best),
            validation=value_report(
                points,
                calibrated_P=cross_fitted(points.value_P, points.correct_P, points.group_P),
                base_rate=base_rate,
            ),
        )
        with atomic_folder(out) as aside:
            state.copy_weights(progress.best_step, aside)
            write_value_record(aside, record)
    barrier()
    record = from_first(record)
    assert record is not None
    return record
