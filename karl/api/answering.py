"""One call of a graph: inputs read, the rollout run, stored, its citations resolved."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args
from uuid import uuid4

from langchain_core.runnables import RunnableConfig

from graphs.events import Emit, Event, Hits
from graphs.runner import GraphRunner
from karl.api.inputs import Inputs, known, read_inputs
from karl.api.mcp import OpenServers
from karl.api.results import Answer, cited_chunks, make_answer
from karl.api.sources import SharedSearcher, Source
from karl.collect import attempts_of
from prompts.closed_yaml import closest
from store import queries
from store.errors import UsageError
from store.queries import RolloutLinks
from store.session import Store
from store.types import Hit, Purpose, Role, RolloutRecord

if TYPE_CHECKING:
    from agents.engines.local.value_model import ValueModel

OnFailure = Literal["raise", "return"]


@dataclass(frozen=True)
class GraphParts:
    """What `load_graph` puts together. `kept`: rollouts are stored; `owns_policy`: its engine is closed with us."""

    runner: GraphRunner
    source: Source
    servers: OpenServers
    store: Store | None
    kept: bool
    seed: int
    temperature: float | None
    on_failure: OnFailure
    owns_policy: bool
    checkpoint: Path | None
    owned_value: ValueModel | None = None

    async def answer(
        self,
        inputs: Inputs,
        config: RunnableConfig | None,
        *,
        seed: int | None,
        temperature: float | None,
        emit: Emit | None = None,
        streams: bool = False,
    ) -> Answer:
        """A failed rollout is an answer that is not `ok`. Raises: UsageError for wrong inputs."""
        chosen = self.seed if seed is None else seed
        seeds = await self._seeds(inputs, chosen)
        listener = _Listener(emit, seeds)
        record = await self.runner.run(
            read_inputs(inputs, role=self.runner.role, seeds=seeds),
            key=f"ask/{uuid4().hex}",
            purpose=Purpose.ASK,
            seed=chosen,
            temperature=self.temperature if temperature is None else temperature,
            emit=listener,
            streams=streams,
            config=config,
        )
        return await asyncio.to_thread(self._finish, record, listener)

    async def _seeds(self, inputs: Inputs, seed: int) -> list[Hit]:
        given = known(inputs)
        if self.runner.role is not Role.GENERATOR and "seeds" not in given:
            return []
        return await asyncio.to_thread(self.source.seeds, given.get("seeds"), seed=seed)

    def _finish(self, record: RolloutRecord, listener: _Listener) -> Answer:
        if self.kept and self.store is not None:
            with self.store.session() as session:
                queries.save_rollouts(session, [(record, RolloutLinks()), *attempts_of(record)])
        chunks = self.source.citations(cited_chunks(record), seen=listener.seen)
        return make_answer(record, chunks=chunks)

    async def aclose(self) -> None:
        if self.owns_policy:
            await self.runner.harness.speaker.engine.aclose()
        if self.owned_value is not None:
            await self.owned_value.aclose()
        await asyncio.to_thread(self.servers.close)
        if isinstance(self.source.searcher, SharedSearcher):
            self.source.searcher.close()
        if self.store is not None:
            self.store.close()


class _Listener:
    """Passes events on, and keeps the passages shown, which no record holds."""

    def __init__(self, forward: Emit | None, seeds: Sequence[Hit]) -> None:
        self._forward = forward
        self.seen = {hit.chunk_id: hit for hit in seeds}

    def __call__(self, event: Event) -> None:
        if isinstance(event, Hits):
            self.seen.update((hit.chunk_id, hit) for hit in event.hits)
        if self._forward is not None:
            self._forward(event)


def check_options(*, seed: Any, temperature: Any, on_failure: Any) -> None:
    """None: left to the graph. Raises: UsageError naming the option and what it takes."""
    if seed is not None and not (_is_number(seed, int) and abs(seed) < 2**63):
        raise UsageError(f"seed: expected a whole number of at most 63 bits, got {seed!r}")
    if temperature is not None and not (_is_number(temperature, int, float) and 0 <= temperature < math.inf):
        raise UsageError(f"temperature: expected a number of at least 0, got {temperature!r}")
    known = get_args(OnFailure)
    if on_failure is not None and on_failure not in known:
        hint = closest(on_failure, known) if isinstance(on_failure, str) else ""
        raise UsageError(f"on_failure: expected {' or '.join(map(repr, known))}, got {on_failure!r}{hint}")


def _is_number(value: Any, *types: type) -> bool:
    return isinstance(value, types) and not isinstance(value, bool)
