"""Carry out what a turn asked for, or say what was wrong with it."""

from __future__ import annotations

import time

from graphs.harness import Harness
from graphs.nodes.base import Node, Update
from graphs.plugins.chain import after_tool, before_reply
from graphs.schema import ToolNode
from graphs.state import GraphState, Rollout
from prompts.output import ParseFailure, SearchCall


def tool_node(harness: Harness, node: ToolNode) -> Node:
    """Search and show the hits; a malformed turn gets one message that says how to mend it."""

    async def use_tool(state: GraphState) -> Update:
        rollout = state.rollout
        assert rollout is not None  # a policy node came before
        reply = await _reply(harness, rollout, node)
        rollout.conversation.append_tool(before_reply(harness.plugins, rollout, reply))
        return {"outcome": after_tool(harness.plugins, rollout)}

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
