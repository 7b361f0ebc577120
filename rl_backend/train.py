"""Train a policy: a frozen dataset and a base checkpoint in, a checkpoint and its figures out.

Torch and verl are loaded only when a training starts. Nothing is written at `out` unless the training succeeds; what
is needed to go on after a stop or a kill lies beside it until the caller has recorded it (`training_state`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rl_backend.checkpoint import check_model_folder
from rl_backend.config import TrainConfig
from rl_backend.drift import settle_reference
from rl_backend.hooks import Hooks
from rl_backend.identity import FREE, identity_of
from rl_backend.index import TrainingIndex, build_index
from rl_backend.loader import Loader
from rl_backend.plan import Plan
from rl_backend.ranks import rank, shared_folder
from rl_backend.result import TrainResult, closing_means
from rl_backend.run import TrainingRun
from rl_backend.source import RolloutSource
from rl_backend.trackers import check_trackers, tracked
from rl_backend.training_state import TRAINER, Finished, Progress, StateFolder

if TYPE_CHECKING:
    from rl_backend.verl_adapter import Trainer

logger = logging.getLogger(__name__)


def train(
    source: RolloutSource, *, base: Path, out: Path, config: TrainConfig, hooks: Hooks | None = None
) -> TrainResult:
    """Train `base` on the rollouts of `source` and write the result at `out`, on every rank of the process group.

    `base` may be freshly initialised. An unfinished training of the same data, base and settings goes on where it was;
    one whose checkpoint is written, but was never recorded by `hooks.record`, is recorded now.
    Raises UsageError for a bad `base`, a tracker that is not there, nothing to train on or an unrecorded checkpoint of
    another training at `out`; KarlError when the training diverges or the disk is full.
    """
    started = time.perf_counter()
    hooks = hooks or Hooks()
    check_model_folder(base)
    check_trackers(config)
    index = build_index(source, config=config)
    loader, plan = Loader(source, index, config=config), Plan(index.entries, config=config)
    with _trainer(base, config=config, steps=plan.step_count) as trainer:
        identity = identity_of(index, base=base, settings=config.model_dump_json(exclude=FREE))
        state = StateFolder(out, identity=identity, keep=config.keep_checkpoints)
        finished = state.finished()
        progress = finished.progress if finished is not None else _resume(trainer, state)
        before = progress.seconds
        with tracked(hooks, config=config, out=out, state=state.root) as told:
            if rank() == 0:
                told.on_start(progress.steps, plan.step_count)
            if finished is None:
                settle_reference(trainer, loader, progress, config=config, folder=state.root)
                if TrainingRun(trainer, loader, plan, state, progress, config=config, hooks=told).run():
                    finished = _write(trainer, state, progress, out=out, hooks=told)
    setup = time.perf_counter() - started - (progress.seconds - before)
    result = _result(index, plan, progress, finished, out=out, setup=setup)
    if finished is not None:
        if rank() == 0:
            hooks.record(result)
        state.clear()
    return result


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


def _resume(trainer: Trainer, state: StateFolder) -> Progress:
    saved = state.latest()
    if saved is None:
        return Progress()
    trainer.load_state(saved.folder / TRAINER)
    logger.info("going on at step %d from %s", saved.progress.steps, saved.folder)
    return saved.progress


def _write(trainer: Trainer, state: StateFolder, progress: Progress, *, out: Path, hooks: Hooks) -> Finished:
    """The best weights by evaluation where there was one, else the last, at `out`."""
    best = progress.best_step
    with shared_folder(out) as aside:
        if best is None or best == progress.steps:
            trainer.save_into(aside)
        elif rank() == 0:
            state.copy_weights(best, aside)
        if rank() == 0:
            hooks.stamp(aside)
        return state.finish(progress, aside=aside)


def _result(
    index: TrainingIndex, plan: Plan, progress: Progress, finished: Finished | None, *, out: Path, setup: float
) -> TrainResult:
    return TrainResult(
        steps=progress.steps,
        planned_steps=plan.step_count,
        tokens=progress.tokens,
        trained_tokens=progress.trained_tokens,
        seconds=progress.seconds,
        setup_seconds=setup,
        groups=index.groups,
        rollouts=len(index.entries),
        segments=index.segment_count,
        dropped_segments=index.dropped_segments,
        dropped_rollouts=index.dropped_rollouts,
        tokens_by_kind=plan.tokens_by_kind,
        drift=progress.drift,
        metrics=closing_means(progress.closing),
        out=out if finished is not None else None,
        weights_sha256=finished.weights_sha256 if finished is not None else "",
        stopped=finished is None,
    )
