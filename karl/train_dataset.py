"""Carry out a `TrainPlan`: train, wherever the ranks are, record figures and the checkpoint with its lineage."""

from __future__ import annotations

import asyncio
import os
from contextlib import ExitStack
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from karl.collect import Stopped
from karl.epochs import EpochEvaluator, epoch_figures, idle_limits, record_best
from karl.policies import write_profile
from karl.progress_record import RecordingReporter
from karl.reporting import Reporter, SilentReporter
from karl.run_lock import run_lock
from karl.settings import Settings
from karl.signals import stop_on_signals
from karl.train_plan import TrainPlan
from karl.train_validation import validation_context
from karl.training_record import Place, Recorder, record_result, recorded
from rl_backend.hooks import Hooks
from rl_backend.launch import launch
from store import queries
from store.models import Checkpoint
from store.session import Store
from store.types import Algorithm

if TYPE_CHECKING:
    from rl_backend.result import TrainResult


def train_dataset(store: Store, plan: TrainPlan, *, settings: Settings, reporter: Reporter) -> dict[str, Any] | None:
    """The summary of the training; None when it was stopped, or on a rank of the user's own torchrun but the first.

    Raises: UsageError while another process trains the same, or for what `validation_context` finds missing; what
    `launch` raises.
    """
    if follows():
        asyncio.run(_trained(plan, Hooks(), settings=settings, reporter=SilentReporter()))
        return None
    with run_lock(settings.home, name=f"train-{plan.name}"):
        place = Place(store, plan.dataset.run_id, iteration=plan.dataset.iteration, series=plan.series)
        title, every = f"training {plan.name}", plan.config.checkpoint_steps
        reporter = RecordingReporter(store, plan.dataset.run_id, reporter)
        with recorded(place, title=title, reporter=reporter, checkpoint_steps=every) as recorder:
            hooks = Hooks(
                on_start=recorder.start,
                on_drift=recorder.drift,
                on_step=recorder.step,
                stamp=partial(write_profile, policy_version=plan.policy_version),
                record=partial(_record, store, plan, recorder),
            )
            _tell_validation(plan, reporter)
            result = asyncio.run(_trained(plan, hooks, settings=settings, reporter=reporter, recorder=recorder))
        if result is None or result.out is None:
            return None
        return _summary(plan, result, place)


def follows() -> bool:
    """Is this process a rank that the user's own torchrun started, and not the first?"""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and int(os.environ.get("RANK", "0")) > 0


def _tell_validation(plan: TrainPlan, reporter: Reporter) -> None:
    if plan.validation is not None:
        held = f"{len(plan.validation.tasks)} of {plan.dataset.group_count} questions of {plan.dataset.name}"
        reporter.say(f"{plan.series}: {held} are not trained on, and compare the epochs")
    elif idle := idle_limits(plan.config):
        reporter.say(f"recipe {plan.recipe} has {idle}: without --validate nothing is evaluated or ended by it")


async def _trained(
    plan: TrainPlan, hooks: Hooks, *, settings: Settings, reporter: Reporter, recorder: Recorder | None = None
) -> TrainResult | None:
    """None when Ctrl-C stopped an evaluation between epochs, or was given twice. `recorder`: of the first rank."""
    stop = asyncio.Event()
    told = replace(hooks, should_stop=stop.is_set)
    with ExitStack() as opened:
        if plan.validation is not None and recorder is not None:
            asked = validation_context(
                recorder.place.store, plan, plan.validation, settings=settings, reporter=reporter, stop=stop
            )
            evaluated, tasks = opened.enter_context(asked), plan.validation.tasks
            number = plan.dataset.iteration
            told = replace(told, evaluate=EpochEvaluator(evaluated, number, recorder=recorder, tasks=tasks))
        opened.enter_context(stop_on_signals(stop, say=reporter.say))
        try:
            return await asyncio.to_thread(launch, plan.job(settings), by=plan.launch, hooks=told)
        except (Stopped, asyncio.CancelledError):
            return None


def _record(store: Store, plan: TrainPlan, recorder: Recorder, result: TrainResult) -> None:
    """The row last of all: a command that is killed before it leaves a training that the next one records."""
    assert plan.dataset.id is not None
    recorder.flush()
    with store.session() as session:
        tokens = queries.token_check(session, plan.dataset.id)
    record_result(recorder.place, result, tokens, reporter=recorder.reporter)
    record_best(recorder.place)
    with store.session() as session:
        queries.save_checkpoint(session, _row(plan, result))


def _row(plan: TrainPlan, result: TrainResult) -> Checkpoint:
    """Of no run: what a run's newest policy is stays the run's own affair. The dataset leads to the run."""
    settings: dict[str, Any] = {"recipe": plan.recipe, "training": plan.config.model_dump(mode="json")}
    if plan.validation is not None:
        settings["validation"] = plan.validation.described()
    return Checkpoint(
        run_id=None,
        name=plan.name,
        iteration=plan.dataset.iteration,
        algorithm=Algorithm(plan.config.algorithm),
        path=str(plan.out),
        weights_sha256=result.weights_sha256,
        policy_version=plan.policy_version,
        dataset_id=plan.dataset.id,
        parent_id=plan.parent.id if plan.parent is not None else None,
        settings=settings,
    )


def _summary(plan: TrainPlan, result: TrainResult, place: Place) -> dict[str, Any]:
    return {
        "checkpoint": plan.name,
        "dataset": plan.dataset.name,
        "base": plan.parent.name if plan.parent is not None else str(plan.base),
        "algorithm": plan.config.algorithm,
        "policy_version": plan.policy_version,
        "launch": plan.launch.model_dump(),
        "validation": {**plan.validation.described(), **epoch_figures(place)} if plan.validation is not None else None,
        **asdict(result),
        "drift": result.drift._asdict() if result.drift is not None else None,
        "tokens_per_second": result.tokens_per_second,
    }
