"""The graphs of the systems, each model loaded once, for as long as questions are asked."""

from __future__ import annotations

import asyncio
from pathlib import Path

from agents.policy import Policy
from karl.api.graph import Graph
from karl.api.load import load_graph
from karl.api.voice import Say
from karl.arena.systems import System
from karl.policies import open_policy


class Ring:
    """Systems of the same weights share the model. `say`: see `load_graph`."""

    def __init__(self, *, say: Say | None = None) -> None:
        self._say = say
        self._opening = asyncio.Lock()
        self._policies: dict[tuple[Path | None, str], Policy] = {}
        self._graphs: dict[tuple[str, str], asyncio.Task[Graph]] = {}

    async def graph(self, system: System, corpus: str) -> Graph:
        """Loaded when it is first asked for: seconds, in which others go on. Raises: UsageError, KarlError.

        Who gives up waiting does not stop the loading, which could not be stopped: the next one finds the graph.
        """
        key = system.identity.key, corpus
        held = self._graphs.get(key)
        if held is None or _failed(held):
            held = self._graphs[key] = asyncio.create_task(self._opened(system, corpus))
        return await asyncio.shield(held)

    def holds(self, system: System, corpus: str) -> bool:
        """Whether `graph` comes at once."""
        held = self._graphs.get((system.identity.key, corpus))
        return held is not None and held.done() and not _failed(held)

    async def _opened(self, system: System, corpus: str) -> Graph:
        async with self._opening:
            return await self._load(system, corpus)

    async def _load(self, system: System, corpus: str) -> Graph:
        spec = system.spec
        # With a value model the folder is handed on: load_graph compares the tokenizers of both.
        policy = system.folder if spec.value else await self._policy(system)
        return await asyncio.to_thread(
            load_graph,
            spec.graph,
            corpus=corpus,
            policy=policy,
            settings=system.settings,
            tasks=[spec.task] if spec.task else [],
            attempts=spec.attempts,
            value=spec.value,
            temperature=spec.temperature,
            on_failure="return",
            say=self._say,
        )

    async def _policy(self, system: System) -> Policy:
        # With the hash: weights that were written anew are loaded anew.
        key = system.folder, system.identity.weights_sha256 or system.identity.model
        if key not in self._policies:
            self._policies[key] = await asyncio.to_thread(
                open_policy, system.folder, settings=system.settings, say=self._say
            )
        return self._policies[key]

    async def aclose(self) -> None:
        for graph in await asyncio.gather(*self._graphs.values(), return_exceptions=True):
            if not isinstance(graph, BaseException):
                await graph.aclose()
        for policy in self._policies.values():
            await policy.engine.aclose()


def _failed(load: asyncio.Task[Graph]) -> bool:
    return load.done() and (load.cancelled() or load.exception() is not None)
