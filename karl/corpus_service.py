"""Search and ask any of the store's corpora, for as long as a server runs: indexes and models are opened once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from agents.policy import Policy
from graphs.events import SearchStarted
from karl.api.graph import Graph
from karl.api.load import load_graph
from karl.api.opening import newest_folder
from karl.api.results import Answer, Finished
from karl.api.sources import CorpusSource
from karl.policies import open_policy
from karl.settings import Settings
from karl.where import refuse_unknown
from store import queries
from store.errors import UsageError
from store.search_filter import Where
from store.session import Store
from store.types import Hit

OnSearch = Callable[[str], Awaitable[None]]


class CorpusService:
    """`corpora`: the only ones served; empty: all of the store, those that are ingested later included."""

    def __init__(
        self, store: Store, settings: Settings, *, corpora: Sequence[str] = (), checkpoint: Path | None = None
    ) -> None:
        self._store = store
        self._settings = settings
        self._corpora = tuple(corpora)
        self._checkpoint = checkpoint
        self._opening = asyncio.Lock()
        self._sources: dict[str, CorpusSource] = {}
        self._policies: dict[Path, Policy] = {}
        self._graphs: dict[tuple[str, Path], Graph] = {}
        for name in corpora:
            self.corpus(name)

    def names(self) -> list[str]:
        with self._store.session() as session:
            return list(self._corpora) or [corpus.name for corpus in queries.corpora(session)]

    def corpus(self, name: str | None) -> str:
        """`name`, or the only corpus served. Raises: UsageError for one that is unknown or not served."""
        names = self.names()
        if name is None and len(names) == 1:
            return names[0]
        if name is None:
            raise UsageError(f"which corpus? name one of {', '.join(names) or 'none; run `karl ingest`'}")
        if self._corpora and name not in self._corpora:
            raise UsageError(f"no corpus {name!r} is served; there are: {', '.join(names)}")
        with self._store.session() as session:
            return queries.corpus_by_name(session, name).name

    async def search(self, corpus: str | None, query: str, k: int, where: Where | None = None) -> list[Hit]:
        """At most `k` hits, best first, of what `where` lets through (`SearchFilter`).

        Raises: UsageError, also for a property that nothing in the corpus has; what the index raises.
        """
        source = await self._source(self.corpus(corpus))
        hits = await source.searcher.search(query, k, where)
        if where and not hits:
            await asyncio.to_thread(refuse_unknown, self._store, source.corpus, where)
        return hits

    async def ask(self, corpus: str | None, question: str, on_search: OnSearch) -> tuple[Answer, Path]:
        """The answer of the newest checkpoint (or the one given) and its folder; `on_search` hears every query.

        A failed rollout is an answer with its failure. Raises: UsageError; what `load_graph` raises.
        """
        name = self.corpus(corpus)
        folder = self._checkpoint or newest_folder(self._store, name)
        graph = await self._graph(name, folder)
        async for event in graph.astream({"question": question}, tokens=False):
            if isinstance(event, SearchStarted):
                await on_search(event.query)
            elif isinstance(event, Finished):
                return event.result, folder
        raise RuntimeError("the stream of a rollout ended without its result")

    async def aclose(self) -> None:
        for graph in self._graphs.values():
            await graph.aclose()
        for policy in self._policies.values():
            await policy.engine.aclose()
        for source in self._sources.values():
            source.searcher.close()

    async def _source(self, name: str) -> CorpusSource:
        # Opening may build an index: seconds, in which other calls go on.
        async with self._opening:
            if name not in self._sources:
                self._sources[name] = await asyncio.to_thread(
                    CorpusSource, self._store, name, home=self._settings.home, servers=self._settings.servers
                )
        return self._sources[name]

    async def _graph(self, name: str, folder: Path) -> Graph:
        async with self._opening:
            if folder not in self._policies:
                self._policies[folder] = await asyncio.to_thread(open_policy, folder, settings=self._settings)
            if (name, folder) not in self._graphs:
                self._graphs[name, folder] = await asyncio.to_thread(
                    load_graph, corpus=name, policy=self._policies[folder], settings=self._settings
                )
        return self._graphs[name, folder]
