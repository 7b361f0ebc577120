"""Choose among the answers of several attempts."""

from __future__ import annotations

from collections import Counter

from agents.judges import normalise
from graphs.harness import Harness
from graphs.nodes.base import Node, Update
from graphs.schema import VoteNode
from graphs.state import GraphState
from prompts.output import FinalAnswer


def vote_node(harness: Harness, node: VoteNode) -> Node:
    """The most frequent answer in normal form; among equals the first given."""

    async def vote(state: GraphState) -> Update:
        rollout = state.rollout
        if rollout is None or not rollout.answers:
            raise ValueError(f"the vote node of '{harness.spec.name}' has no answers; put a parallel node before it")
        counts = Counter(normalise(answer.text) for answer in rollout.answers)
        winner, votes = counts.most_common(1)[0]
        chosen = next(answer for answer in rollout.answers if normalise(answer.text) == winner)
        share = votes / len(rollout.answers)
        rollout.answer = FinalAnswer(text=chosen.text, explanation=chosen.explanation, confidence=share)
        return {"outcome": "ok"}

    return vote
