"""A turn chosen by value among several candidates: value-guided search (KARL, section 6)."""

from __future__ import annotations

from graphs.harness import Harness, Sampled
from graphs.nodes.base import Node, Update, gather_all
from graphs.nodes.turn import begin, take_turn
from graphs.schema import ValueSelectNode
from graphs.state import GraphState, Rollout


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
