"""Node kinds of the solver family: a node is an async function of the state that returns a partial update."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from graphs.harness import Harness, Sampled
from graphs.schema import Compression, CompressNode, PolicyNode, ToolNode, ValueSelectNode
from graphs.state import GraphState, Rollout
from prompts.output import CandidateSet, FinalAnswer, Parsed, ParseFailure, SearchCall, Summary
from store.types import StepKind

Update = dict[str, Any]
Node = Callable[[GraphState], Awaitable[Update]]


def policy_node(harness: Harness, node: PolicyNode) -> Node:
    """One turn: sample, parse, record."""

    async def think(state: GraphState) -> Update:
        rollout = begin(harness, state, node.prompt)
        sampled = await harness.sample(rollout, max_tokens=harness.spec.sampling.max_tokens)
        return {"outcome": take_turn(harness, rollout, sampled)}

    return think


def value_select_node(harness: Harness, node: ValueSelectNode) -> Node:
    """One turn, chosen by value among `candidates` continuations of the same tokens."""

    async def select(state: GraphState) -> Update:
        rollout = begin(harness, state, node.prompt)
        draws = [
            harness.sample(rollout, max_tokens=harness.spec.sampling.max_tokens, candidate=index)
            for index in range(node.candidates)
        ]
        sampled_K = await gather_all(draws)
        best = await _best(harness, rollout, sampled_K)
        _forget_losers(harness, rollout)
        return {"outcome": take_turn(harness, rollout, sampled_K[best])}

    return select


async def gather_all(awaitables: Sequence[Awaitable[Any]]) -> list[Any]:
    """Like gather, but the first failure cancels the rest before it is raised: nothing is left running."""
    tasks = [asyncio.ensure_future(item) for item in awaitables]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _best(harness: Harness, rollout: Rollout, sampled_K: list[Sampled]) -> int:
    """Index of the highest value; the first of equals."""
    if harness.value is None:
        raise ValueError(f"graph '{harness.spec.name}' needs a value function and was given none")
    prefix = list(rollout.conversation.token_ids)
    values_K = await harness.value.score(prefix, [sampled.generation for sampled in sampled_K])
    return max(range(len(sampled_K)), key=lambda index: values_K[index])


def _forget_losers(harness: Harness, rollout: Rollout) -> None:
    # The first session holds the prefix, whichever candidate won: the engine re-reads at most one turn.
    for session in rollout.sessions - {rollout.session}:
        harness.speaker.engine.release(session)
        rollout.sessions.discard(session)


def begin(harness: Harness, state: GraphState, prompt: str) -> Rollout:
    """The state's rollout, its conversation opened by the first node that speaks."""
    rollout = state.rollout
    if rollout is None:
        raise ValueError(f"graph '{harness.spec.name}' runs a policy and was started without a rollout")
    if not rollout.opening:
        rollout.opening = prompt
        rollout.conversation.start(harness.open(rollout))
    return rollout


def take_turn(harness: Harness, rollout: Rollout, sampled: Sampled) -> str:
    """Append what was sampled, act on what it says; the outcome of the turn."""
    text = rollout.conversation.append_sampled(sampled.generation)
    rollout.parsed = parsed = harness.prompts[rollout.opening].parse(text)
    rollout.turns += 1
    outcome, kind = _meaning(rollout, parsed)
    record(rollout, kind, text, sampled, query=parsed.query if isinstance(parsed, SearchCall) else None)
    return next((o for plugin in harness.plugins if (o := plugin.after_turn(rollout, outcome))), outcome)


def record(rollout: Rollout, kind: StepKind, text: str, sampled: Sampled, *, query: str | None = None) -> None:
    count = len(sampled.generation.token_ids)
    rollout.sampled_tokens += count
    rollout.record(
        kind,
        text,
        query=query,
        prompt_tokens=sampled.prompt_tokens,
        sampled_tokens=count,
        policy_seconds=sampled.seconds,
    )


def _meaning(rollout: Rollout, parsed: Parsed | ParseFailure) -> tuple[str, StepKind]:
    match parsed:
        case SearchCall():
            return "search", StepKind.SEARCH
        case FinalAnswer():
            rollout.answer = parsed
        case CandidateSet():
            rollout.candidates = list(parsed.candidates)
        case Summary() | ParseFailure():
            return "malformed", StepKind.MALFORMED
    return "answer", StepKind.ANSWER


def tool_node(harness: Harness, node: ToolNode) -> Node:
    """Search and show the hits; a malformed turn gets one message that says how to mend it."""

    async def use_tool(state: GraphState) -> Update:
        rollout = state.rollout
        assert rollout is not None  # a policy node came before
        reply = await _reply(harness, rollout, node)
        for plugin in harness.plugins:
            reply = plugin.before_reply(rollout, reply)
        rollout.conversation.append_tool(reply)
        return {"outcome": next((o for plugin in harness.plugins if (o := plugin.after_tool(rollout))), "ok")}

    return use_tool


async def _reply(harness: Harness, rollout: Rollout, node: ToolNode) -> str:
    match rollout.parsed:
        case SearchCall(query):
            return await _search(harness, rollout, node, query)
        case ParseFailure(reason):
            prompt = harness.prompts[node.correction]
            return prompt.render(**({"reason": reason} if prompt.variables else {}))
        case other:
            raise ValueError(
                f"the tool node of '{harness.spec.name}' follows {type(other).__name__}: nothing to carry out"
            )


async def _search(harness: Harness, rollout: Rollout, node: ToolNode, query: str) -> str:
    if harness.search is None:
        raise ValueError(f"graph '{harness.spec.name}' searches and was given no searcher")
    began = time.perf_counter()
    hits = await harness.search.search(query)
    seconds = time.perf_counter() - began
    harness.amend_step(rollout, hits=[hit.chunk_id for hit in hits], tool_seconds=seconds)
    return harness.render_hits(rollout, hits, node.result)


def compress_node(harness: Harness, node: CompressNode) -> Node:
    """The policy summarises its own history; the next segment opens with question and summary."""
    settings = harness.spec.plugin(Compression)
    room = settings.summary_tokens if settings else harness.spec.sampling.max_tokens
    prompt = harness.prompts[node.prompt]

    async def compress(state: GraphState) -> Update:
        rollout = state.rollout
        assert rollout is not None  # a policy node came before
        known = {"question": rollout.inputs.question, "tokens": room}
        rollout.conversation.begin_compression(prompt.render(**{name: known[name] for name in prompt.variables}))
        sampled = await harness.sample(rollout, max_tokens=room)
        text = rollout.conversation.append_sampled(sampled.generation)
        record(rollout, StepKind.COMPRESS, text, sampled)
        parsed = prompt.parse(text)
        # Nothing in tags: what it wrote is still all that is left of the history.
        rollout.summary = (parsed.text if isinstance(parsed, Summary) else text).strip()
        harness.release(rollout)
        rollout.conversation.compress(harness.open(rollout))
        return {"outcome": "ok"}

    return compress
