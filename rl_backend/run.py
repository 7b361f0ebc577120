"""The loop over optimiser steps: train, watch, tell, save, evaluate between epochs."""

from __future__ import annotations

import logging
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rl_backend.batch import Batch
from rl_backend.config import TrainConfig
from rl_backend.health import Watch
from rl_backend.hooks import Evaluation, Hooks
from rl_backend.loader import Loader
from rl_backend.offending import keep_offending
from rl_backend.plan import Plan, PlannedStep
from rl_backend.ranks import from_first, rank
from rl_backend.training_state import TRAINER, Progress, StateFolder
from store.errors import CollapseError

if TYPE_CHECKING:
    from rl_backend.verl_adapter import Trainer

logger = logging.getLogger(__name__)


class TrainingRun:
    """One training from where `progress` stands; `progress` moves with it."""

    def __init__(
        self,
        trainer: Trainer,
        loader: Loader,
        plan: Plan,
        state: StateFolder,
        progress: Progress,
        *,
        config: TrainConfig,
        hooks: Hooks,
    ) -> None:
        self._trainer, self._loader, self._plan = trainer, loader, plan
        self._state, self._progress = state, progress
        self._config, self._hooks = config, hooks
        # The first rank's, like every hook: a rank that is not asked for evaluations has its part in them.
        self._evaluates = from_first(hooks.evaluates)
        good = state.folder(progress.steps) if progress.steps else None
        self._watch = Watch(config, winners=progress.winners, losers=progress.losers, last_good=good)
        # The means of the report are over the last tenth of the steps.
        self._closing = math.ceil(plan.step_count / 10)

    def run(self) -> bool:
        """True when all is done, early or not; False when the caller stopped it, with the state saved."""
        if self._progress.drift is not None and rank() == 0:
            self._hooks.on_drift(self._progress.drift)
        if self._late_evaluation() or self._exhausted():
            return True
        ranks = self._trainer.data_ranks
        for step, batch in self._loader.batches(self._plan, after=self._progress.steps, ranks=ranks):
            if self._stopped():
                self._save()
                return False
            self._step(step, batch)
            if self._due(step):
                self._save()
            if self._evaluated_behind(step) and self._evaluate(step):
                return True
        return True

    def _step(self, step: PlannedStep, batch: Batch) -> None:
        begun = time.perf_counter()
        figures = self._trainer.train_step(batch)
        spent = time.perf_counter() - begun
        figures["tokens_per_second"] = batch.token_count / spent
        try:
            self._watch.check(step.number, figures)
        except CollapseError as exc:
            raise CollapseError(f"{exc}. {keep_offending(self._state.root, step.number, batch)}") from exc
        self._count(step, batch, figures, spent=spent)
        if rank() == 0:
            self._hooks.on_step(step.number, self._plan.step_count, figures)

    def _count(self, step: PlannedStep, batch: Batch, figures: dict[str, float], *, spent: float) -> None:
        progress = self._progress
        progress.steps = step.number
        progress.tokens += batch.token_count
        progress.trained_tokens += batch.trained_token_count
        progress.seconds += spent
        progress.winners, progress.losers = self._watch.winners, self._watch.losers
        progress.closing = [*progress.closing, figures][-self._closing :]

    def _stopped(self) -> bool:
        return from_first(rank() == 0 and self._hooks.should_stop())

    def _due(self, step: PlannedStep) -> bool:
        every = self._config.checkpoint_steps
        return every is not None and step.number % every == 0 and step.number < self._plan.step_count

    def _save(self) -> Path:
        folder = self._state.save(self._progress, write=self._write)
        self._watch.last_good = folder
        return folder

    def _write(self, aside: Path) -> None:
        self._trainer.save_into(aside)
        self._trainer.save_state(aside / TRAINER)

    def _late_evaluation(self) -> bool:
        """A training that was killed during an evaluation has that before it still."""
        done = next(self._plan.steps(after=self._progress.steps - 1), None) if self._progress.steps else None
        if done is None or self._progress.evaluated_step == done.number:
            return False
        return self._evaluated_behind(done) and self._evaluate(done)

    def _evaluated_behind(self, step: PlannedStep) -> bool:
        # `max_steps` may end a training inside an epoch: those weights may be the best, or no longer finish.
        return self._evaluates and (step.ends_epoch or step.number == self._plan.step_count)

    def _evaluate(self, step: PlannedStep) -> bool:
        """Evaluate the weights of this epoch; True when it is time to stop."""
        folder = self._save()
        found = from_first(self._hooks.evaluate(step.epoch, step.number, folder) if rank() == 0 else None)
        self._progress.evaluated_step = step.number
        if found is not None:
            best = self._progress.best_step  # by an evaluation that was well, so it is kept
            self._watch.last_good = self._state.folder(best) if best is not None else None
            self._watch.check_unfinished(step.number, found.unfinished)
            self._watch.last_good = folder
            self._compare(step, found)
        self._state.note(self._progress)
        return self._exhausted()

    def _compare(self, step: PlannedStep, found: Evaluation) -> None:
        progress = self._progress
        if progress.best_score is None or found.score > progress.best_score:
            progress.best_score, progress.best_step, progress.stale_epochs = found.score, step.number, 0
        else:
            progress.stale_epochs += 1

    def _exhausted(self) -> bool:
        patience = self._config.patience
        if patience is None or self._progress.stale_epochs < patience:
            return False
        logger.info("no better evaluation for %d epochs: stopping at step %d", patience, self._progress.steps)
        return True
