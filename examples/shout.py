"""The Python node of `own_graph.py`: an async function of the graph's state, named in YAML as `shout:shout`."""

from dataclasses import replace
from typing import Any

from graphs.state import GraphState


async def shout(state: GraphState) -> dict[str, Any]:
    """Where YAML ends: the answer in capitals."""
    rollout = state.rollout
    if rollout is not None and rollout.answer is not None:
        rollout.answer = replace(rollout.answer, text=rollout.answer.text.upper())
    return {"outcome": "ok"}
