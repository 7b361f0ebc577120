"""The arrow from graded rollouts to a value model: a frozen dataset, or all groups of a run's iteration."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agents.policy import load_profile
from karl.reporting import Progress, Reporter
from karl.signals import stop_on_signals
from store import queries
from store.errors import UsageError
from store.models import Dataset
from store.session import Store

if TYPE_CHECKING:
    from rl_backend.value.config import ValueConfig
    from rl_backend.value.train import ValueResult


@dataclass(frozen=True, slots=True)
class ValueJob:
    dataset: Dataset
    base: Path
    out: Path
    config: ValueConfig


def graded_dataset(store: Store, run: str, *, iteration: int) -> Dataset:
    """Every graded group of the iteration, solved by all or by none too, frozen as `<run>/graded-<iteration>`.

    Raises: UsageError for a run or an iteration without rollouts.
    """
    with store.session() as session:
        found = queries.run_by_name(session, run)
        assert found.id is not None
        groups = queries.groups(session, found.id, iteration=iteration)
        graded = {id_: [m for m in members if m.reward is not None] for id_, members in groups.items()}
        graded = {id_: members for id_, members in graded.items() if members}
        if not graded:
            raise UsageError(f"run {run!r} has no graded rollouts of iteration {iteration}")
        held = [row for row in queries.datasets(session) if (row.run_id, row.iteration) == (found.id, iteration)]
        version = held[0].policy_version if held else iteration - 1
        return queries.freeze_dataset(
            session,
            found.id,
            iteration=iteration,
            name=f"{run}/graded-{iteration}",
            policy_version=version,
            groups=graded,
        )


def train_value_model(store: Store, job: ValueJob, *, reporter: Reporter) -> ValueResult:
    """Ctrl-C saves the state and ends with `result.stopped`; the same command goes on. Raises as `train_value` does."""
    if load_profile(job.base).policy_version != job.dataset.policy_version:
        reporter.say(
            f"{job.base} has policy version {load_profile(job.base).policy_version}; the rollouts of "
            f"{job.dataset.name} were sampled by version {job.dataset.policy_version}"
        )
    with reporter.stage(f"value model {job.out.name}", 1) as progress:
        return asyncio.run(_trained(store, job, progress=progress, reporter=reporter))


async def _trained(store: Store, job: ValueJob, *, progress: Progress, reporter: Reporter) -> ValueResult:
    from rl_backend.hooks import Hooks
    from rl_backend.store_source import StoreSource
    from rl_backend.value.train import Origin, train_value

    assert job.dataset.id is not None
    source = StoreSource(store, job.dataset.id)
    stop = asyncio.Event()

    def stepped(step: int, steps: int, figures: dict[str, float]) -> None:
        progress.advance(1, note=f"loss {figures['loss']:.3f}", total=steps)

    def begun(step: int, steps: int) -> None:
        progress.advance(step, total=steps)

    hooks = Hooks(on_start=begun, on_step=stepped, should_stop=stop.is_set)
    origin = Origin(policy_version=job.dataset.policy_version, dataset=job.dataset.name)
    with stop_on_signals(stop, say=reporter.say):
        return await asyncio.to_thread(
            train_value, source, base=job.base, out=job.out, config=job.config, origin=origin, hooks=hooks
        )
