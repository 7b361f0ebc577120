"""What every arrow of the loop needs: store, corpora, judge, reporter, and how keys and runners are made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from agents.judges import Judge
from agents.policy import Policy
from agents.tools import Searcher
from graphs.runner import GraphRunner
from karl.collect import Collector
from karl.policies import open_policy
from karl.reporting import Reporter
from karl.run_config import RunConfig
from karl.settings import Settings
from karl.telemetry import open_telemetry
from store.models import Chunk, Corpus, Run, Task
from store.session import Store


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
        )

    def runner(self, graph: str, policy: Policy, searcher: Searcher) -> GraphRunner:
        return GraphRunner.load(
            graph,
            policy=policy,
            searcher=searcher,
            graph_path=self.settings.graph_path,
            prompt_path=self.settings.prompt_path,
            trace=open_telemetry(self.settings.telemetry),
        )

    @asynccontextmanager
    async def policy(self, checkpoint: Path) -> AsyncIterator[Policy]:
        policy = open_policy(checkpoint, settings=self.settings, say=self.reporter.say)
        try:
            yield policy
        finally:
            await policy.engine.aclose()


def id_of(row: Chunk | Task | Corpus | Run) -> int:
    """The id of a row that is in the store."""
    assert row.id is not None
    return row.id
