"""Carry out a `TrainPlan`: train, wherever the ranks are, record figures and the checkpoint with its lineage."""

from __future__ import annotations

import asyncio
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from karl.policies import write_profile
from karl.reporting import Reporter, SilentReporter
from karl.run_lock import run_lock
from karl.settings import Settings
from karl.signals import stop_on_signals
from karl.train_plan import TrainPlan
from karl.training_record import Place, record_result, recorded
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

    Raises: UsageError while another process trains the same; what `launch` raises.
    """
    if follows():
        asyncio.run(_trained(plan, Hooks(), settings=settings, reporter=SilentReporter()))
        return None
    with run_lock(settings.home, name=f"train-{plan.name}"):
        place = Place(store, plan.dataset.run_id, iteration=plan.dataset.iteration, series=plan.series)
        title, every = f"training {plan.name}", plan.config.checkpoint_steps
        with recorded(place, title=title, reporter=reporter, checkpoint_steps=every) as recorder:
            hooks = Hooks(on_start=recorder.start, on_drift=recorder.drift, on_step=recorder.step)
            result = asyncio.run(_trained(plan, hooks, settings=settings, reporter=reporter))
        if result is None or result.out is None:
            return None
        return _record(store, plan, result, result.out, place=place, reporter=reporter)


def follows() -> bool:
    """Is this process a rank that the user's own torchrun started, and not the first?"""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and int(os.environ.get("RANK", "0")) > 0


async def _trained(plan: TrainPlan, hooks: Hooks, *, settings: Settings, reporter: Reporter) -> TrainResult | None:
    stop = asyncio.Event()
    told = replace(hooks, should_stop=stop.is_set)
    with stop_on_signals(stop, say=reporter.say):
        try:
            return await asyncio.to_thread(launch, plan.job(settings), by=plan.launch, hooks=told)
        except asyncio.CancelledError:  # a second Ctrl-C
            return None


def _record(
    store: Store, plan: TrainPlan, result: TrainResult, out: Path, *, place: Place, reporter: Reporter
) -> dict[str, Any]:
    write_profile(out, policy_version=plan.policy_version)
    assert plan.dataset.id is not None
    with store.session() as session:
        tokens = queries.token_check(session, plan.dataset.id)
        queries.save_checkpoint(session, _row(plan, result, out))
    record_result(place, result, tokens, reporter=reporter)
    return _summary(plan, result)


def _row(plan: TrainPlan, result: TrainResult, out: Path) -> Checkpoint:
    """Of no run: what a run's newest policy is stays the run's own affair. The dataset leads to the run."""
    settings = {"recipe": plan.recipe, "training": plan.config.model_dump(mode="json")}
    return Checkpoint(
        run_id=None,
        name=plan.name,
        iteration=plan.dataset.iteration,
        algorithm=Algorithm(plan.config.algorithm),
        path=str(out),
        weights_sha256=result.weights_sha256,
        policy_version=plan.policy_version,
        dataset_id=plan.dataset.id,
        parent_id=plan.parent.id if plan.parent is not None else None,
        settings=settings,
    )


def _summary(plan: TrainPlan, result: TrainResult) -> dict[str, Any]:
    return {
        "checkpoint": plan.name,
        "dataset": plan.dataset.name,
        "base": plan.parent.name if plan.parent is not None else str(plan.base),
        "algorithm": plan.config.algorithm,
        "policy_version": plan.policy_version,
        "launch": plan.launch.model_dump(),
        **asdict(result),
        "drift": result.drift._asdict() if result.drift is not None else None,
        "tokens_per_second": result.tokens_per_second,
    }
