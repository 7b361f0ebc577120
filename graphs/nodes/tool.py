"""Carry out the calls of a turn side by side, or say what was wrong with them; replies stand in their order."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from agents.toolbox import ToolReply
from graphs.events import Hits, SearchStarted, ToolReplied
from graphs.harness import Harness
from graphs.nodes.base import Node, Update, gather_all
from graphs.plugins.base import Deny
from graphs.plugins.chain import after_tool, before_reply, gate
from graphs.schema import ToolNode
from graphs.state import GraphState, Rollout
from prompts import Prompt
from prompts.output import ParseFailure, ToolCall, ToolCalls
from store.types import ToolCallRecord


@dataclass(frozen=True, slots=True)
class _Done:
    """A call as it was carried out (a plugin may have rewritten it), and what came of it."""

    call: ToolCall
    reply: ToolReply
    seconds: float = 0.0


def tool_node(harness: Harness, node: ToolNode) -> Node:
    """Every call gets a reply of its own; a turn without any action gets one that says how to mend it.

    Raises: UsageError, when it is built, for a tool that the graph names and was not given.
    """
    _ = harness.calling  # missing tools are found now, not in the first rollout

    async def use_tools(state: GraphState) -> Update:
        rollout = state.rollout
        assert rollout is not None  # a policy node came before
        *others, last = await _replies(harness, rollout, node)
        for reply in others:
            rollout.conversation.append_tool(reply)
        # Plugins speak once a turn, under the last of its replies.
        rollout.conversation.append_tool(before_reply(harness.plugins, rollout, last))
        return {"outcome": after_tool(harness.plugins, rollout)}

    return use_tools


async def _replies(harness: Harness, rollout: Rollout, node: ToolNode) -> list[str]:
    match rollout.parsed:
        case ToolCalls(calls):
            return await _carry_out(harness, rollout, node, calls)
        case ParseFailure(reason):
            prompt = harness.prompts[node.correction]
            text = prompt.render(**({"reason": reason} if prompt.variables else {}))
            if rollout.emit:
                rollout.emit(ToolReplied(rollout.key, rollout.turns, "", text, reason))
            return [text]
        case other:
            raise ValueError(
                f"the tool node of '{harness.spec.name}' follows {type(other).__name__}: nothing to carry out"
            )


async def _carry_out(harness: Harness, rollout: Rollout, node: ToolNode, calls: tuple[ToolCall, ...]) -> list[str]:
    began = time.perf_counter()
    # Plugins decide in the order of the calls, before any of them runs.
    gated = [_gated(harness, rollout, call) for call in calls]
    if len(gated) == 1:
        done = [await _run(harness, rollout, gated[0])]
    else:
        slots = asyncio.Semaphore(harness.spec.tools.concurrency)
        done = await gather_all([_run_within(slots, harness, rollout, call) for call in gated])
    seconds = time.perf_counter() - began
    replies = [_written(harness, rollout, node, one) for one in done]
    hits = [hit.chunk_id for one in done for hit in one.reply.hits or ()]
    records = [_record(one, reply) for one, reply in zip(done, replies, strict=True)]
    harness.amend_step(rollout, hits=hits, tool_seconds=seconds, calls=records)
    return replies


def _gated(harness: Harness, rollout: Rollout, call: ToolCall) -> ToolCall:
    """The call, rewritten or refused by a plugin; a rewritten one is checked like any other."""
    if call.problem is not None:
        return call
    match gate(harness.plugins, rollout, call):
        case Deny(reason):
            return ToolCall(call.name, call.arguments, reason, call.text)
        case allowed:
            return allowed if allowed is call else harness.calling.toolbox.check(allowed)


async def _run_within(slots: asyncio.Semaphore, harness: Harness, rollout: Rollout, call: ToolCall) -> _Done:
    async with slots:
        return await _run(harness, rollout, call)


async def _run(harness: Harness, rollout: Rollout, call: ToolCall) -> _Done:
    """Raises: ToolError, RolloutTimeoutError."""
    if call.problem is not None:
        return _Done(call, ToolReply(error=call.problem))
    query = str(call.arguments.get("query", "")) if call.name == "search" else None
    if rollout.emit and query is not None:
        rollout.emit(SearchStarted(rollout.key, rollout.turns, query))
    began = time.perf_counter()
    reply = await harness.calling.toolbox.run(call)
    seconds = time.perf_counter() - began
    if rollout.emit and query is not None:
        rollout.emit(Hits(rollout.key, rollout.turns, query, tuple(reply.hits or ()), seconds))
    return _Done(call, reply, seconds)


def _written(harness: Harness, rollout: Rollout, node: ToolNode, done: _Done) -> str:
    """What the policy reads: passages numbered in the order of the calls, a tool's text, or why there is none."""
    error = done.reply.error
    if done.call.problem is not None:
        text = _refused(harness.prompts[node.refusal], done.call.name, done.call.problem)
    elif error is not None:  # it was carried out, and says so itself
        text = error if error.lower().startswith("error") else f"Error: {error}"
    elif done.reply.hits is not None:
        text = harness.render_hits(rollout, done.reply.hits, node.result)
    else:
        text = done.reply.text
    if rollout.emit:
        rollout.emit(ToolReplied(rollout.key, rollout.turns, done.call.name, text, error, done.seconds))
    return text


def _refused(prompt: Prompt, tool: str, problem: str) -> str:
    known = {"tool": tool, "reason": problem.rstrip(". \n")}
    text = prompt.render(**{name: known[name] for name in prompt.variables})
    # The prompt ends the sentence; a question has ended it already.
    return text.replace(f"{known['reason']}.", known["reason"]) if known["reason"].endswith("?") else text


def _record(done: _Done, reply: str) -> ToolCallRecord:
    hits = [hit.chunk_id for hit in done.reply.hits or ()]
    text = "" if done.reply.hits is not None or done.reply.error is not None else reply
    return ToolCallRecord(done.call.name, done.call.arguments, hits, text, done.reply.error, done.seconds)
