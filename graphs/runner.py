"""One harness for collection, evaluation and asking: run a compiled graph, leave a `RolloutRecord` whatever happens."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool

from agents.errors import RolloutError, boundary
from agents.judges import Judge
from agents.policy import Policy
from agents.tools import Searcher, SearchTool
from agents.values import LikelihoodValue, ValueFunction
from graphs.compiler import compile_graph
from graphs.events import Emit
from graphs.functions import function_hashes
from graphs.harness import Harness
from graphs.plugins.build import build_plugins
from graphs.plugins.chain import ending
from graphs.prompting import load_prompts
from graphs.record import Made, check_end, last_word, record_of
from graphs.schema import CompressNode, GraphSpec, ValueSelectNode
from graphs.state import GraphState, Rollout, RolloutInputs
from graphs.toolbox import hits_per_query
from prompts import Prompt
from store.errors import UsageError
from store.types import Failure, Provenance, Purpose, RolloutRecord

logger = logging.getLogger(__name__)
Trace = Callable[[RolloutRecord], None]


class GraphRunner:
    """A graph bound to a policy and a corpus. Holds no rollout state: any number of `run`s may be under way."""

    def __init__(
        self,
        spec: GraphSpec,
        *,
        policy: Policy,
        searcher: Searcher | None = None,
        value: ValueFunction | None = None,
        judge: Judge | None = None,
        tools: Sequence[BaseTool] = (),
        prompts: Mapping[str, Prompt] | None = None,
        prompt_path: Sequence[Path] = (),
        runners: Mapping[str, GraphRunner] | None = None,
        trace: Trace | None = None,
    ) -> None:
        """`prompts` None: read now. `tools`: those that the graph names without a module, and those of its MCP servers.

        `trace` gets every record once; attempts only inside the one that combines them.
        """
        if spec.role is None:
            raise UsageError(f"graph '{spec.name}' has no role: it decides and makes no rollouts; see graphs.decide")
        if prompts is None:
            prompts = load_prompts(spec, variant=policy.profile.prompt_variant, path=prompt_path)
        _check_tokens(spec, policy)
        self.spec = spec
        self.role = spec.role
        self.trace = trace
        self.harness = Harness(
            spec=spec,
            prompts=prompts,
            plugins=build_plugins(spec, prompts),
            policy=policy,
            search=_search_tool(spec, searcher),
            value=value or LikelihoodValue(),
            judge=judge,
            runners=runners or {},
            tools=tools,
        )
        self._graph: Any = compile_graph(self.harness, fused=True)
        self._config = {"recursion_limit": spec.limits.super_steps}
        self.provenance = Provenance(
            graph=spec.name,
            graph_sha256=spec.sha256,
            prompt_sha256={name: prompt.sha256 for name, prompt in prompts.items()} | function_hashes(spec),
            model=policy.engine.model,
            policy_version=policy.profile.policy_version,
        )

    @cached_property
    def _by_node(self) -> Any:
        """One node of LangGraph for each node of the graph: slower, but callbacks and tracers see every node."""
        return compile_graph(self.harness)

    async def run(
        self,
        inputs: RolloutInputs,
        *,
        key: str,
        purpose: Purpose,
        seed: int,
        temperature: float | None = None,
        emit: Emit | None = None,
        streams: bool = False,
        config: RunnableConfig | None = None,
    ) -> RolloutRecord:
        """One rollout. Never raises for what went wrong in it (the record says so), only CancelledError.

        `temperature` None: the graph's own. Same seed and same engine: the same record, but for the seconds.
        `emit` hears what happens (graphs.events), with `streams` token by token; `config`: LangChain callbacks, tags.
        A listener that raises fails the rollout while it is under way; once it is over, that is only logged.
        """
        began = time.perf_counter()
        policy = self.harness.speaker
        warmth = self.spec.sampling.temperature if temperature is None else temperature
        rollout = Rollout(key, inputs, seed, warmth, policy.conversation(), emit=emit, streams=streams)
        rollout.trainable = policy.speaks_tokens
        try:
            failure = await self._drive(rollout, purpose, config)
        finally:
            self.harness.release(rollout)
        made = Made(self.role, purpose, self.provenance, time.perf_counter() - began)
        record = record_of(rollout, failure, made=made, prompts=self.harness.prompts)
        if emit:
            _tell(emit, last_word(record))
        if self.trace:
            _tell(self.trace, record)
        return record

    async def _drive(self, rollout: Rollout, purpose: Purpose, config: RunnableConfig | None) -> Failure | None:
        limit = self.spec.limits.seconds
        state = GraphState(rollout=rollout, values={"purpose": purpose})
        try:
            async with boundary(RolloutError, f"graph {self.spec.name}"):
                with ending(self.harness.plugins, rollout):
                    async with asyncio.timeout(limit) if limit else nullcontext():
                        graph = self._by_node if config else self._graph
                        await graph.ainvoke(state, {**config, **self._config} if config else self._config)
                check_end(rollout, self.role)
        except RolloutError as exc:
            return rollout.failure or exc.to_failure()
        return None


def _check_tokens(spec: GraphSpec, policy: Policy) -> None:
    """Raises: UsageError for a graph that works on token ids with a policy whose tokens are unknown."""
    if policy.speaks_tokens:
        return
    for name, node in spec.nodes.items():
        if isinstance(node, ValueSelectNode) or (isinstance(node, CompressNode) and node.candidates > 1):
            raise spec.error(
                ("nodes", name, "candidates"),
                f"node '{name}' chooses among candidates by value, which needs token ids, and {policy.engine.model} is "
                "behind a chat endpoint; use engine = local or vllm, or a graph without candidates",
            )


def _search_tool(spec: GraphSpec, searcher: Searcher | None) -> SearchTool | None:
    if spec.tools.search is None:
        return None
    if searcher is None:
        raise UsageError(f"graph '{spec.name}' searches; give it a corpus")
    return SearchTool(searcher=searcher, k=hits_per_query(spec.tools.search, searcher))


def _tell(listener: Callable[[Any], None], what: Any) -> None:
    """A finished record is worth more than the listener's error."""
    try:
        listener(what)
    except Exception:
        logger.exception("a listener raised on %s; the rollout stands", type(what).__name__)
