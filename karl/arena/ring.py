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
        self._graphs: dict[tuple[str, str], Graph] = {}

    async def graph(self, system: System, corpus: str) -> Graph:
        """Loaded when it is first asked for: seconds, in which others go on. Raises: UsageError, KarlError."""
        async with self._opening:
            key = system.identity.key, corpus
            if key not in self._graphs:
                self._graphs[key] = await self._load(system, corpus)
            return self._graphs[key]

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
        for graph in self._graphs.values():
            await graph.aclose()
        for policy in self._policies.values():
            await policy.engine.aclose()
