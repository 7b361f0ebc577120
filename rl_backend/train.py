"""Train a policy: a frozen dataset and a base checkpoint in, a checkpoint and its figures out.

Torch and verl are loaded only when a training starts. Nothing is written at `out` unless the training succeeds.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rl_backend.batch import Example, RolloutLike, TrainingSegment, TrainingSet, batches, step_count, training_set
from rl_backend.checkpoint import check_model_folder, weights_sha256
from rl_backend.config import TrainConfig
from rl_backend.health import Watch

if TYPE_CHECKING:
    from rl_backend.verl_adapter import Trainer

logger = logging.getLogger(__name__)

# fp32 engines agree to about 1e-5; a thousandth already means other weights, another dtype or another tokenisation.
DRIFT_WARNING = 1e-3

OnStep = Callable[[int, int, dict[str, float]], None]


class Drift(NamedTuple):
    """|engine's recorded log-prob - trainer's| over trained tokens, same weights, before the first step; in nats."""

    mean: float
    max: float
    tokens: int


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What a training did. `out` is None when it was stopped: then nothing was written.

    tokens: all tokens of the segments seen, every epoch; seconds: the optimiser steps alone; setup_seconds: the rest.
    metrics: means over the last tenth of the steps (at least one).
    """

    steps: int
    planned_steps: int
    tokens: int
    trained_tokens: int
    seconds: float
    setup_seconds: float
    groups: int
    rollouts: int
    segments: int
    dropped_segments: int
    dropped_rollouts: int
    drift: Drift | None
    metrics: dict[str, float]
    out: Path | None
    weights_sha256: str
    stopped: bool

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / self.seconds if self.seconds else 0.0


@dataclass(slots=True)
class _Progress:
    steps: int = 0
    tokens: int = 0
    trained_tokens: int = 0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)


def never() -> bool:
    return False


def train_dataset(
    session: Any,
    dataset_id: int,
    *,
    base: Path,
    out: Path,
    config: TrainConfig,
    on_step: OnStep | None = None,
    should_stop: Callable[[], bool] = never,
) -> TrainResult:
    """`train` on a frozen dataset of the store, read group by group through an open store session."""
    from store.queries.datasets import dataset_groups

    rows = (row for group in dataset_groups(session, dataset_id) for row in group.rows)
    return train(rows, base=base, out=out, config=config, on_step=on_step, should_stop=should_stop)


def train(
    rollouts: Iterable[RolloutLike],
    *,
    base: Path,
    out: Path,
    config: TrainConfig,
    on_step: OnStep | None = None,
    should_stop: Callable[[], bool] = never,
) -> TrainResult:
    """Train `base` on `rollouts` and write the result at `out`. `on_step(step, steps, figures)` runs after every step.

    `base` may be freshly initialised. `should_stop` is asked before every step; a stopped training writes nothing.
    Raises UsageError for a bad `base` or nothing to train on; KarlError when the training diverges or the disk is full.
    """
    started = time.perf_counter()
    check_model_folder(base)
    data = training_set(rollouts, config=config)
    steps = step_count(len(data.examples), config=config)
    with _trainer(base, config=config, steps=steps) as trainer:
        data, drift = _settle_reference(trainer, data, config=config)
        progress = _run(trainer, data, config=config, steps=steps, on_step=on_step, should_stop=should_stop)
        stopped = progress.steps < steps
        if not stopped:
            trainer.save(out)
    elapsed = time.perf_counter() - started
    return _result(data, progress, drift=drift, steps=steps, out=None if stopped else out, elapsed=elapsed)


@contextmanager
def _trainer(base: Path, *, config: TrainConfig, steps: int) -> Iterator[Trainer]:
    import torch

    from rl_backend.verl_adapter import Trainer

    threads = torch.get_num_threads()
    torch.set_num_threads(config.threads or threads)
    torch.manual_seed(config.seed)
    trainer = Trainer(base, config=config, total_steps=steps)
    try:
        yield trainer
    finally:
        trainer.close()
        torch.set_num_threads(threads)


def _settle_reference(trainer: Trainer, data: TrainingSet, *, config: TrainConfig) -> tuple[TrainingSet, Drift | None]:
    """Measure drift, and with `reference = "trainer"` put the frozen weights' log-probs in place of the engine's."""
    segments = [segment for example in data.examples for segment in example.segments]
    drift = measure_drift(trainer, segments, count=config.drift_segments, seed=config.seed)
    if config.reference == "engine":
        return data, drift
    fresh = iter(trainer.logprobs(segments))
    return replace(data, examples=[_with_reference(example, fresh) for example in data.examples]), drift


def _with_reference(example: Example, fresh: Iterator[Any]) -> Example:
    segments = tuple(TrainingSegment(segment.token_ids, segment.loss_mask, next(fresh)) for segment in example.segments)
    return example._replace(segments=segments)


def measure_drift(trainer: Trainer, segments: list[TrainingSegment], *, count: int, seed: int = 0) -> Drift | None:
    """Compare recorded and recomputed log-probs on up to `count` segments drawn by `seed`; None for a count of 0."""
    if count == 0:
        return None
    drawn = np.random.default_rng(seed).permutation(len(segments))[:count]
    chosen = [segments[i] for i in drawn]
    gaps = [
        np.abs(ours - segment.logprobs)[segment.loss_mask.astype(bool)]
        for ours, segment in zip(trainer.logprobs(chosen), chosen, strict=True)
    ]
    all_gaps = np.concatenate(gaps)
    drift = Drift(mean=float(all_gaps.mean()), max=float(all_gaps.max()), tokens=len(all_gaps))
    if not drift.mean < DRIFT_WARNING:
        logger.warning(
            "recorded and recomputed log-probs differ by %.2g nats a token: other weights or dtype?", drift.mean
        )
    return drift


def _run(
    trainer: Trainer,
    data: TrainingSet,
    *,
    config: TrainConfig,
    steps: int,
    on_step: OnStep | None,
    should_stop: Callable[[], bool],
) -> _Progress:
    progress, watch = _Progress(), Watch(config)
    for batch in batches(data.examples, config=config):
        if should_stop():
            break
        begun = time.perf_counter()
        figures = trainer.train_step(batch)
        spent = time.perf_counter() - begun
        progress.steps += 1
        progress.tokens += batch.token_count
        progress.trained_tokens += batch.trained_token_count
        progress.seconds += spent
        figures["tokens_per_second"] = batch.token_count / spent
        watch.check(progress.steps, figures)
        progress.history.append(figures)
        if on_step is not None:
            on_step(progress.steps, steps, figures)
    return progress


def _result(
    data: TrainingSet, progress: _Progress, *, drift: Drift | None, steps: int, out: Path | None, elapsed: float
) -> TrainResult:
    return TrainResult(
        steps=progress.steps,
        planned_steps=steps,
        tokens=progress.tokens,
        trained_tokens=progress.trained_tokens,
        seconds=progress.seconds,
        setup_seconds=elapsed - progress.seconds,
        groups=data.groups,
        rollouts=len(data.examples),
        segments=data.segment_count,
        dropped_segments=data.dropped_segments,
        dropped_rollouts=data.dropped_rollouts,
        drift=drift,
        metrics=_closing_means(progress.history),
        out=out,
        weights_sha256=weights_sha256(out) if out is not None else "",
        stopped=out is None,
    )


def _closing_means(history: list[dict[str, float]]) -> dict[str, float]:
    if not history:
        return {}
    last = history[-math.ceil(len(history) / 10) :]
    names = {name: None for figures in last for name in figures}
    return {name: float(np.mean([figures[name] for figures in last if name in figures])) for name in names}
