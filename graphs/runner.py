"""One harness for collection, evaluation and asking: run a compiled graph, leave a `RolloutRecord` whatever happens."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool

from agents.errors import BudgetError, ParseError, RolloutError, boundary
from agents.judges import Judge, normalise
from agents.mcp_settings import McpServer
from agents.policy import Policy
from agents.tools import Searcher, SearchTool
from agents.values import LikelihoodValue, ValueFunction
from graphs.compiler import compile_graph
from graphs.events import AnswerGiven, Emit, Failed
from graphs.functions import function_hashes
from graphs.harness import Harness
from graphs.library import Library
from graphs.plugins.build import build_plugins
from graphs.plugins.chain import ending
from graphs.prompting import load_prompts
from graphs.schema import CompressNode, GraphSpec, ParallelNode, ValueSelectNode
from graphs.state import GraphState, Rollout, RolloutInputs
from graphs.toolbox import hits_per_query
from prompts import Prompt
from prompts.output import Parsed, ParsedCandidate, ParseFailure, ToolCalls
from store.errors import UsageError
from store.types import CandidateRecord, Failure, FailureKind, Provenance, Purpose, Role, RolloutRecord, RolloutStatus

logger = logging.getLogger(__name__)

# The policy's own fault; everything else is the environment's.
_POLICY_FAULTS = frozenset({FailureKind.BUDGET, FailureKind.PARSE})


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
        trace: Callable[[RolloutRecord], None] | None = None,
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

    @classmethod
    def load(
        cls,
        name: str | Path,
        *,
        policy: Policy,
        searcher: Searcher | None = None,
        value: ValueFunction | None = None,
        judge: Judge | None = None,
        tools: Sequence[BaseTool] = (),
        graph_path: Sequence[Path] = (),
        prompt_path: Sequence[Path] = (),
        tasks: Sequence[str] = (),
        changes: Mapping[str, Any] | None = None,
        library: Library | None = None,
        open_servers: Callable[[Mapping[str, McpServer]], Sequence[BaseTool]] | None = None,
        trace: Callable[[RolloutRecord], None] | None = None,
    ) -> Self:
        """A graph by name, or a file, in the policy's variant, with the graphs that its parallel nodes run.

        `tasks`: its overrides of these names; `changes`: a last layer over it (not over inner graphs). With `library`
        the graphs are those that it holds, whatever the files say by now. `open_servers` gives the tools of MCP servers
        for this graph and for those that it runs. Raises: UsageError; what `open_servers` raises.
        """
        if library is None:
            beside = [name.parent, *graph_path] if isinstance(name, Path) else graph_path
            library = Library(graph_path=beside, prompt_path=prompt_path, tasks=tasks)
        spec, prompts = library.get(name, variant=policy.profile.prompt_variant, changes=changes)
        shared: Any = {"policy": policy, "searcher": searcher, "value": value, "judge": judge}
        around: Any = {"library": library, "open_servers": open_servers, "tools": tools}
        inner = {node.runner: node for node in spec.nodes.values() if isinstance(node, ParallelNode)}
        runners = {
            key: GraphRunner.load(node.graph, changes=node.changes, **around, **shared) for key, node in inner.items()
        }
        served = open_servers(spec.tools.mcp) if open_servers and spec.tools.mcp else ()
        return cls(spec, prompts=prompts, runners=runners, tools=[*tools, *served], trace=trace, **shared)

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
        record = self._record(rollout, failure, purpose=purpose, seconds=time.perf_counter() - began)
        if emit:
            _tell(emit, _last_word(rollout, record))
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
                _check_end(rollout, self.role)
        except RolloutError as exc:
            return rollout.failure or exc.to_failure()
        return None

    def _record(self, rollout: Rollout, failure: Failure | None, *, purpose: Purpose, seconds: float) -> RolloutRecord:
        answer = rollout.answer if failure is None else None
        return RolloutRecord(
            key=rollout.key,
            role=self.role,
            purpose=purpose,
            status=_status(failure),
            provenance=self.provenance,
            question=rollout.inputs.question,
            answer=answer.text if answer else "",
            confidence=answer.confidence if answer else None,
            citations=rollout.book.resolve(answer.citations) if answer else [],
            steps=rollout.steps,
            segments=rollout.witness.sign(rollout.conversation.segments()),
            candidates=[] if failure else [self._candidate(rollout, candidate) for candidate in rollout.candidates],
            failure=failure,
            temperature=rollout.temperature,
            seed=rollout.seed,
            seconds=seconds,
            attempts=rollout.attempts,
            trainable=rollout.trainable,
        )

    def _candidate(self, rollout: Rollout, candidate: ParsedCandidate) -> CandidateRecord:
        cited = rollout.book.resolve(candidate.citations)
        shown = self.harness.prompts[rollout.opening].output.candidate.citations == "shown"
        chunks = cited or (rollout.book.chunk_ids if shown else [])
        problem = candidate.problem or (None if chunks else "cites no passage that was shown")
        if problem is None and not any(normalise(nugget) for nugget in candidate.nuggets):
            problem = "the answer holds no word to judge by"
        return CandidateRecord(
            candidate.question, candidate.answer, list(candidate.nuggets), chunks, candidate.text, problem
        )


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


def _check_end(rollout: Rollout, role: Role) -> None:
    """Raises: BudgetError or ParseError when the graph ended without what its role is for; the policy's own fault."""
    if rollout.failure is not None:
        raise BudgetError(rollout.failure.reason)
    generates = role is Role.GENERATOR
    if rollout.candidates if generates else rollout.answer is not None:
        return
    missing = "candidates" if generates else "answer"
    if fault := _fault(rollout.parsed):
        raise ParseError(f"no {missing} after {rollout.turns} turns; the last one: {fault}")
    raise BudgetError(f"no {missing} after {rollout.turns} turns and {rollout.sampled_tokens} sampled tokens")


def _last_word(rollout: Rollout, record: RolloutRecord) -> AnswerGiven | Failed:
    if record.failure is not None:
        return Failed(record.key, record.failure)
    explanation = rollout.answer.explanation if rollout.answer else ""
    return AnswerGiven(record.key, record.answer, explanation, record.confidence, tuple(record.citations))


def _tell(listener: Callable[[Any], None], what: Any) -> None:
    """A finished record is worth more than the listener's error."""
    try:
        listener(what)
    except Exception:
        logger.exception("a listener raised on %s; the rollout stands", type(what).__name__)


def _fault(parsed: Parsed | ParseFailure | None) -> str | None:
    """What was wrong with the last turn, if nothing in it could be carried out."""
    match parsed:
        case ParseFailure(reason):
            return reason
        case ToolCalls(calls) if all(call.problem for call in calls):
            return calls[-1].problem
        case _:
            return None


def _status(failure: Failure | None) -> RolloutStatus:
    if failure is None:
        return RolloutStatus.FINISHED
    return RolloutStatus.UNFINISHED if failure.kind in _POLICY_FAULTS else RolloutStatus.FAILED
