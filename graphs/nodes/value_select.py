"""A turn chosen by value among several candidates: value-guided search (KARL, section 6)."""

from __future__ import annotations

from graphs.harness import Harness
from graphs.nodes.base import Node, Update
from graphs.nodes.candidates import best_of
from graphs.nodes.turn import begin, take_turn
from graphs.plugins.chain import before_turn
from graphs.schema import ValueSelectNode
from graphs.state import GraphState


def value_select_node(harness: Harness, node: ValueSelectNode) -> Node:
    """One turn, chosen by value among `candidates` continuations of the same tokens."""

    async def select(state: GraphState) -> Update:
        rollout = begin(harness, state, node.prompt)
        if outcome := before_turn(harness.plugins, rollout):
            return {"outcome": outcome}
        kept = await best_of(
            harness, rollout, candidates=node.candidates, max_tokens=harness.spec.sampling.max_tokens, aloud=True
        )
        outcome = take_turn(harness, rollout, kept.sampled)
        kept.note(harness, rollout)
        return {"outcome": outcome}

    return select
