"""Every generation that the store lacks, by every system on every task; what failed is tried once more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from agents.policy import Policy
from agents.tools import Searcher
from graphs.loading import load_runner
from graphs.state import RolloutInputs
from karl.api.mcp import OpenServers
from karl.collect import Collector, Runner, Unit
from karl.evaluations.external import EndpointAsker, ExternalRunner, FunctionAsker
from karl.evaluations.plan import Arm, Evaluation
from karl.evaluations.suite import TaskPlan
from karl.evaluations.systems import System
from karl.policies import open_policy
from karl.reporting import Reporter, SilentProgress
from karl.telemetry import open_telemetry
from store import queries
from store.models import Task
from store.queries import RolloutLinks
from store.types import Purpose
from store.vectors.batching import AsyncSearcher
from store.vectors.library import open_index

EXTERNAL_CONCURRENCY = 8  # questions under way at once at a system that is not ours, unless the user says otherwise


@dataclass
class Rollouts:
    """Searchers are opened when the first policy needs them, and kept for the others."""

    evaluation: Evaluation
    reporter: Reporter
    stop: asyncio.Event
    servers: OpenServers = field(default_factory=OpenServers)
    _searchers: dict[str, AsyncSearcher] = field(default_factory=dict)

    async def collect(self, tasks: dict[str, list[Task]]) -> None:
        """Raises: Stopped; KarlError when a system fails on everything."""
        try:
            for arm in self.evaluation.arms:
                missing = {
                    plan.name: units
                    for plan in self.evaluation.plans
                    if (units := self._missing(arm, plan, tasks[plan.name]))
                }
                if missing:
                    await self._arm(arm, missing)
        finally:
            self.servers.close()
            for searcher in self._searchers.values():
                searcher.close()

    def _missing(self, arm: Arm, plan: TaskPlan, tasks: Sequence[Task]) -> list[Unit]:
        """All of them, where one is missing: the collector leaves out those that are there, and counts them."""
        units = self._units(arm, plan, tasks)
        with self.evaluation.store.session() as session:
            prefix = self.evaluation.prefix(arm, plan)
            held = queries.rollout_keys(session, self.evaluation.run_id, prefix=prefix, failed=False)
        return units if any(unit.key not in held for unit in units) else []

    def _units(self, arm: Arm, plan: TaskPlan, tasks: Sequence[Task]) -> list[Unit]:
        config, prefix = self.evaluation.config, self.evaluation.prefix(arm, plan)
        return [
            Unit(
                key=f"{prefix}{item.key}/{attempt}",
                inputs=RolloutInputs(question=item.question),
                links=RolloutLinks(run_id=self.evaluation.run_id, task_id=task.id, arm=arm.name, attempt=attempt),
                purpose=Purpose.EVALUATE,
                temperature=config.temperature,
            )
            for item, task in zip(plan.items, tasks, strict=True)
            for attempt in range(config.samples)
        ]

    async def _arm(self, arm: Arm, missing: dict[str, list[Unit]]) -> None:
        async with self._opened(arm.system) as speaker:
            for name, units in missing.items():
                plan = self.evaluation.plan(name)
                runner = speaker if not isinstance(speaker, Policy) else self._graph(arm, plan, speaker)
                await self._collect(arm, plan, units, runner)

    async def _collect(self, arm: Arm, plan: TaskPlan, units: Sequence[Unit], runner: Runner) -> None:
        collector = self._collector(arm, plan)
        run_id = self.evaluation.run_id
        with self.reporter.stage(f"{arm.name}: {plan.name}", len(units)) as progress:
            await collector.collect(units, runner=runner, run_id=run_id, progress=progress)
            with self.evaluation.store.session() as session:
                prefix = self.evaluation.prefix(arm, plan)
                held = queries.rollout_keys(session, run_id, prefix=prefix, failed=False)
            if any(unit.key not in held for unit in units):
                # Once more: a figure over the rest would favour whatever did not fail.
                await collector.collect(units, runner=runner, run_id=run_id, progress=SilentProgress())

    def _collector(self, arm: Arm, plan: TaskPlan) -> Collector:
        evaluation = self.evaluation
        with evaluation.store.session() as session:
            corpus = queries.corpus_by_name(session, plan.corpus)
        return Collector(
            evaluation.store,
            evaluation.judge,
            evaluation.config.seed,
            self._concurrency(arm.system),
            self.stop,
            corpus_id=corpus.id or 0,
            run_name=evaluation.run.name,
        )

    def _concurrency(self, system: System) -> int:
        usual = EXTERNAL_CONCURRENCY if system.external else self.evaluation.settings.concurrency
        return self.evaluation.config.concurrency or usual

    @asynccontextmanager
    async def _opened(self, system: System) -> AsyncIterator[Policy | Runner]:
        if not system.external:
            policy = open_policy(system.folder, settings=self.evaluation.settings, say=self.reporter.say, many=True)
            try:
                yield policy
            finally:
                await policy.engine.aclose()
            return
        asker = self._asker(system)
        try:
            yield ExternalRunner(system.model, asker)
        finally:
            await asker.aclose()

    def _asker(self, system: System) -> EndpointAsker | FunctionAsker:
        if system.endpoint is not None:
            routing, temperature = self.evaluation.settings.routing, self.evaluation.config.temperature
            return EndpointAsker(system.endpoint, routing=routing, temperature=temperature)
        assert system.function is not None  # an external system is one or the other
        return FunctionAsker(system.name, system.function, self._concurrency(system))

    def _graph(self, arm: Arm, plan: TaskPlan, policy: Policy) -> Runner:
        graph = arm.graphs[plan.name]
        return load_runner(
            graph.place.graph,
            policy=policy,
            searcher=self._searcher(plan.corpus),
            judge=self.evaluation.judge,
            library=graph.place.library,
            changes=graph.changes,
            open_servers=self.servers.open,
            trace=open_telemetry(self.evaluation.settings.telemetry),
        )

    def _searcher(self, corpus: str) -> Searcher:
        if corpus not in self._searchers:
            settings = self.evaluation.settings
            index = open_index(self.evaluation.store, corpus, home=settings.home, servers=settings.servers)
            self._searchers[corpus] = AsyncSearcher(index)
        return self._searchers[corpus]
