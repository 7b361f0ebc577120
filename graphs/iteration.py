"""Running the graph of an iteration: the stages in its order, each carried out by the loop that started it."""

from __future__ import annotations

from collections.abc import Iterator

from graphs.decide import run_values
from graphs.nodes.stage import Iteration
from graphs.schema import GraphSpec, StageNode
from graphs.schema.stage import STAGE_GRAPHS, StageName


async def run_iteration(spec: GraphSpec, iteration: Iteration) -> None:
    """From start to end. Python nodes find `iteration` in the state's values; they are entered again after a stop.

    Raises: what a stage raises.
    """
    await run_values(spec, {"iteration": iteration})


def stages(spec: GraphSpec) -> Iterator[StageNode]:
    """In the order of the file."""
    yield from (node for node in spec.nodes.values() if isinstance(node, StageNode))


def graph_of(spec: GraphSpec, stage: StageName) -> str:
    """Name of the agent graph that runs in `stage`; a stage that was taken out keeps its built-in choice elsewhere."""
    return next((node.runs for node in stages(spec) if node.stage == stage and node.runs), STAGE_GRAPHS[stage])
