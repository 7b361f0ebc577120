"""Several algorithms from one base policy: the same first dataset, then each on rollouts of its own policy.

All arms of a seed are one run in one store. Iterations of the arms behind the first have numbers of their own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from agents.judges import RuleJudge
from karl.context import Context
from karl.evaluation import evaluate, sweep_temperatures
from karl.held_out import hold_out
from karl.loop import base_checkpoint
from karl.reporting import Reporter
from karl.rounds import Round
from karl.run_config import RunConfig
from karl.runs import Flow, Opened, execute, open_run
from karl.settings import Settings
from karl.tiny import POLICY_FOLDER
from store import queries
from store.errors import CollapseError, KarlError
from store.models import Checkpoint, Run
from store.session import Store
from store.types import Algorithm

ALGORITHMS = (Algorithm.OAPL, Algorithm.GRPO, Algorithm.SFT)


class Arm(NamedTuple):
    """`iteration` 0: the base policy."""

    algorithm: Algorithm
    iteration: int

    @property
    def label(self) -> str:
        return f"{self.algorithm.upper()} {self.iteration}" if self.iteration else "base"

    @property
    def number(self) -> int:
        """Of the iteration in the run: the first is every arm's, later ones are each arm's own."""
        if self.iteration < 2:
            return self.iteration
        return 100 * (1 + ALGORITHMS.index(self.algorithm)) + self.iteration

    @property
    def name(self) -> str:
        """In the store."""
        return f"{self.algorithm}-{self.number}" if self.iteration else str(Algorithm.BASE)


BASE = Arm(Algorithm.BASE, 0)


def arms_flow(algorithms: Sequence[Algorithm], *, iterations: int, collapsed: dict[str, str]) -> Flow:
    """Evaluate the base, train and evaluate every arm; the base and the last of each arm at other temperatures too.

    A training that collapses ends its arm: `collapsed` gets the algorithm and what was said, and the others go on.
    """

    async def flow(context: Context) -> None:
        context.read_graphs()
        base = await base_checkpoint(context)
        await _evaluate_base(context, base)
        for algorithm in algorithms:
            try:
                await _train_arm(context, algorithm, iterations=iterations, base=base)
            except CollapseError as exc:
                collapsed[str(algorithm)] = first_sentence(exc)
                context.reporter.say(f"{algorithm}: {exc}")

    return flow


def first_sentence(exc: CollapseError) -> str:
    """What happened, without the mend and the files of this machine."""
    return str(exc).split(". ")[0]


async def _train_arm(context: Context, algorithm: Algorithm, *, iterations: int, base: Checkpoint) -> None:
    chain = replace(context, config=context.config.model_copy(update={"algorithm": str(algorithm)}))
    newest = base
    for iteration in range(1, iterations + 1):
        round_ = Round(chain, Arm(algorithm, iteration).number, newest=newest, control=base)
        await round_.run()
        newest = round_.newest
    last = Arm(algorithm, iterations)
    async with context.policy(Path(newest.path)) as policy:
        await sweep_temperatures(context, policy, arm=last.name, iteration=last.number, checkpoint=newest)


async def _evaluate_base(context: Context, base: Checkpoint) -> None:
    async with context.policy(Path(base.path)) as policy:
        await hold_out(context, policy)
        await evaluate(context, policy, arm=BASE.name, iteration=0, checkpoint=base)
        await sweep_temperatures(context, policy, arm=BASE.name, iteration=0, checkpoint=base)


def carry_out(store: Store, config: RunConfig, flow: Flow, *, settings: Settings, reporter: Reporter) -> Run:
    """The run of `config` with what `flow` leaves in it; what it holds already is not made again, done or not.

    Raises: KarlError when it was stopped.
    """
    opened = _held(store, config) or open_run(store, config, name=None)
    judge = RuleJudge()
    if not execute(store, opened, config=config, settings=settings, judge=judge, reporter=reporter, flow=flow):
        raise KarlError("the bench was stopped; the same command goes on from here")
    return opened.run


def _held(store: Store, config: RunConfig) -> Opened | None:
    with store.session() as session:
        rows = [run for run in queries.runs(session) if run.settings == config.stored()]
    return Opened(rows[0], resumed=True) if rows else None


def bench_home(settings: Settings, name: str, *parts: object) -> Settings:
    """A data folder for this bench, this shipped policy and `parts`: what was made of others is never taken for theirs.

    `parts`: whatever decides what is made and is not in the run's own settings, JSON-ready.
    """
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode())
    digest.update((POLICY_FOLDER / "model.safetensors").read_bytes())
    home = settings.home / "bench" / f"{name}-{digest.hexdigest()[:8]}"
    home.mkdir(parents=True, exist_ok=True)
    return settings.model_copy(update={"home": home, "database_url": ""})
