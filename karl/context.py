"""What every arrow of the loop needs: store, corpora, judge, reporter, and how keys and runners are made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

from agents.judges import Judge
from agents.policy import Policy
from agents.tools import Searcher
from evals.behaviour import Limits
from graphs.iteration import graph_of
from graphs.library import Library
from graphs.loading import load_runner
from graphs.runner import GraphRunner
from graphs.schema import GraphSpec
from graphs.schema.stage import STAGE_GRAPHS, StageName
from karl.api.mcp import OpenServers
from karl.behaviour import behaviour_of, run_limits
from karl.collect import Collector
from karl.policies import open_policy, profile_of
from karl.reporting import Reporter
from karl.run_config import RunConfig
from karl.settings import Settings
from karl.telemetry import open_telemetry
from store.models import Chunk, Corpus, Run, Task
from store.session import Store
from store.vectors.batching import AsyncSearcher


@dataclass(frozen=True)
class Context:
    """One run under way. Frozen: the arrows communicate through the store alone."""

    store: Store
    settings: Settings
    config: RunConfig
    run: Run
    corpus: Corpus
    searcher: Searcher
    question_corpus: Corpus
    question_searcher: Searcher
    judge: Judge
    reporter: Reporter
    stop: asyncio.Event
    servers: OpenServers = field(default_factory=OpenServers)  # MCP servers of the run's graphs, until the run ends

    def close(self) -> None:
        """MCP servers and indexes; the store and the judge are the caller's."""
        self.servers.close()
        for searcher in (self.searcher, self.question_searcher):
            if isinstance(searcher, AsyncSearcher):
                searcher.close()

    @property
    def run_id(self) -> int:
        assert self.run.id is not None
        return self.run.id

    @property
    def folder(self) -> Path:
        return self.settings.home / "checkpoints" / self.run.name

    def key(self, *parts: object) -> str:
        return "/".join([self.run.name, *map(str, parts)])

    def collector(self, corpus: Corpus) -> Collector:
        assert corpus.id is not None
        return Collector(
            self.store,
            self.judge,
            self.config.seed,
            self.settings.concurrency,
            self.stop,
            corpus_id=corpus.id,
            run_name=self.run.name,
            behaviour=partial(behaviour_of, threshold=self.config.reward_threshold, limits=self.limits),
        )

    @cached_property
    def limits(self) -> Limits:
        """What a solver has: tokens of its window, steps of its budget."""
        return run_limits(self.config, settings=self.settings).limits

    @cached_property
    def variant(self) -> str:
        """Which prompts and overrides the run's policies were trained on."""
        return profile_of(self.config.base, settings=self.settings).prompt_variant

    @cached_property
    def library(self) -> Library:
        """The graphs and prompts of this run: a file that is edited meanwhile changes nothing until a reload."""
        return Library(
            graph_path=self.settings.graph_path, prompt_path=self.settings.prompt_path, tasks=self.config.tasks
        )

    def read_graphs(self) -> None:
        """Raises: UsageError for a graph or prompt of the run that is broken."""
        for stage in STAGE_GRAPHS:
            self.graph(stage)

    @property
    def iteration_graph(self) -> GraphSpec:
        return self.library.get("iteration", variant=self.variant).spec

    def graph(self, stage: StageName) -> GraphSpec:
        """The agent graph that the iteration's graph names for `stage`; held-out questions use the same ones."""
        return self.library.get(graph_of(self.iteration_graph, stage), variant=self.variant).spec

    def runner(self, stage: StageName, policy: Policy, searcher: Searcher) -> GraphRunner:
        """Of the agent graph of `stage`."""
        return load_runner(
            self.graph(stage).name,
            policy=policy,
            searcher=searcher,
            judge=self.judge,
            library=self.library,
            open_servers=self.servers.open,
            trace=open_telemetry(self.settings.telemetry),
        )

    @asynccontextmanager
    async def policy(self, checkpoint: Path) -> AsyncIterator[Policy]:
        policy = open_policy(checkpoint, settings=self.settings, say=self.reporter.say, many=True)
        try:
            yield policy
        finally:
            await policy.engine.aclose()


def id_of(row: Chunk | Task | Corpus | Run) -> int:
    """The id of a row that is in the store."""
    assert row.id is not None
    return row.id
