"""A stage of the bootstrapping loop; what it does is supplied by whoever runs the loop."""

from __future__ import annotations

from typing import Protocol

from graphs.harness import Harness
from graphs.nodes.base import Node, Update
from graphs.schema import StageNode
from graphs.state import GraphState


class Iteration(Protocol):
    """A round of the loop, in the state under `iteration`."""

    async def carry_out(self, node: StageNode) -> None:
        """Do the stage, or what is left of it."""
        ...


def stage_node(harness: Harness, node: StageNode) -> Node:
    """Hands the node to the iteration under way."""

    async def stage(state: GraphState) -> Update:
        iteration: Iteration | None = state.values.get("iteration")
        if iteration is None:
            raise ValueError(f"graph '{harness.spec.name}' has stages and was started without an iteration")
        await iteration.carry_out(node)
        return {"outcome": "ok"}

    return stage
