"""Train a policy: a frozen dataset and a base checkpoint in, a checkpoint and its figures out.

Torch and verl are loaded only when a training starts. Nothing is written at `out` unless the training succeeds; what
is needed to go on after a stop or a kill lies beside it until then (`training_state`).
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rl_backend.checkpoint import atomic_folder, check_model_folder, weights_sha256
from rl_backend.config import TrainConfig
from rl_backend.drift import settle_reference
from rl_backend.hooks import Hooks
from rl_backend.index import TrainingIndex, build_index
from rl_backend.loader import Loader
from rl_backend.plan import Plan
from rl_backend.ranks import barrier, from_first, rank, world
from rl_backend.result import TrainResult, closing_means
from rl_backend.run import TrainingRun
from rl_backend.source import RolloutSource
from rl_backend.trackers import check_trackers, tracked
from rl_backend.training_state import TRAINER, Progress, StateFolder

if TYPE_CHECKING:
    from rl_backend.verl_adapter import Trainer

logger = logging.getLogger(__name__)

# Settings that decide how a training runs, not what it computes: another value does not void a saved state.
_FREE = {"checkpoint_steps", "keep_checkpoints", "drift_segments", "drift_warning", "threads", "trackers"}


def train(
    source: RolloutSource, *, base: Path, out: Path, config: TrainConfig, hooks: Hooks | None = None
) -> TrainResult:
    """Train `base` on the rollouts of `source` and write the result at `out`, on every rank of the process group.

    `base` may be freshly initialised. An unfinished training of the same data, base and settings goes on where it was.
    Raises UsageError for a bad `base`, a tracker that is not there or nothing to train on; KarlError when the training
    diverges or the disk is full.
    """
    started = time.perf_counter()
    hooks = hooks or Hooks()
    check_model_folder(base)
    check_trackers(config)
    index = build_index(source, config=config)
    loader, plan = Loader(source, index, config=config), Plan(index.entries, config=config)
    with _trainer(base, config=config, steps=plan.step_count) as trainer:
        state = StateFolder(out, identity=_identity(index, base, config), keep=config.keep_checkpoints)
        progress = _resume(trainer, state)
        with tracked(hooks, config=config, out=out, state=state.root) as told:
            if rank() == 0:
                told.on_start(progress.steps, plan.step_count)
            settle_reference(trainer, loader, progress, config=config, folder=state.root)
            done = TrainingRun(trainer, loader, plan, state, progress, config=config, hooks=told).run()
        if done:
            _write(trainer, state, progress, out=out, base=base)
            state.clear()
    elapsed = time.perf_counter() - started
    return _result(index, plan, progress, out=out if done else None, elapsed=elapsed)


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


def _identity(index: TrainingIndex, base: Path, config: TrainConfig) -> dict[str, str]:
    settings = config.model_dump_json(exclude=_FREE)
    return {
        "dataset": index.sha256(),
        "base checkpoint": weights_sha256(base),
        "configuration": hashlib.sha256(settings.encode()).hexdigest(),
        "number of processes": str(world()),
    }


def _resume(trainer: Trainer, state: StateFolder) -> Progress:
    saved = state.latest()
    if saved is None:
        return Progress()
    trainer.load_state(saved.folder / TRAINER)
    logger.info("going on at step %d from %s", saved.progress.steps, saved.folder)
    return saved.progress


def _write(trainer: Trainer, state: StateFolder, progress: Progress, *, out: Path, base: Path) -> None:
    """The best weights by evaluation where there was one, else the last, at `out`."""
    if progress.best_step is None or progress.best_step == progress.steps:
        trainer.save(out)
        return
    if rank() == 0:
        with atomic_folder(out) as aside:
            state.copy_weights(progress.best_step, aside)
    barrier()


def _result(index: TrainingIndex, plan: Plan, progress: Progress, *, out: Path | None, elapsed: float) -> TrainResult:
    return TrainResult(
        steps=progress.steps,
        planned_steps=plan.step_count,
        tokens=progress.tokens,
        trained_tokens=progress.trained_tokens,
        seconds=progress.seconds,
        setup_seconds=elapsed - progress.seconds,
        groups=index.groups,
        rollouts=len(index.entries),
        segments=index.segment_count,
        dropped_segments=index.dropped_segments,
        dropped_rollouts=index.dropped_rollouts,
        tokens_by_kind=plan.tokens_by_kind,
        drift=progress.drift,
        metrics=closing_means(progress.closing),
        out=out,
        weights_sha256=from_first(weights_sha256(out) if out is not None and rank() == 0 else ""),
        stopped=out is None,
    )
