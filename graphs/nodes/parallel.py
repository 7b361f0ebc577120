"""N independent rollouts of another graph: parallel thinking (KARL, section 6)."""

from __future__ import annotations

from graphs.harness import Harness, step_seed
from graphs.nodes.base import Node, Update, gather_all
from graphs.schema import ParallelNode
from graphs.state import GraphState
from prompts.output import FinalAnswer
from store.types import Failure, FailureKind, Purpose, RolloutRecord


def parallel_node(harness: Harness, node: ParallelNode) -> Node:
    """`runs` rollouts side by side; those that failed or gave no answer are left out, all are kept as attempts."""
    runner = harness.runners[node.graph]

    async def attempt(state: GraphState) -> Update:
        rollout = state.rollout
        assert rollout is not None  # checked by the runner: a graph with a role runs rollouts
        runs = [
            runner.run(
                rollout.inputs,
                key=f"{rollout.key}/{node.graph}-{index}",
                purpose=state.values.get("purpose", Purpose.ASK),
                seed=step_seed(rollout.seed, 0, index + 1),
                temperature=rollout.temperature,
            )
            for index in range(node.runs)
        ]
        rollout.attempts = await gather_all(runs)
        rollout.answers = [_final(record) for record in rollout.attempts if record.answer]
        return {"outcome": node.strategy if rollout.answers else _give_up(rollout.attempts, state)}

    return attempt


def _give_up(attempts: list[RolloutRecord], state: GraphState) -> str:
    """No attempt answered: the environment's fault only if every attempt was broken by it."""
    failures = [record.failure for record in attempts if record.failure]
    own = next((f for f in failures if f.kind in (FailureKind.BUDGET, FailureKind.PARSE)), None)
    first = own or failures[0]
    assert state.rollout is not None
    state.rollout.failure = Failure(
        first.kind, f"none of {len(attempts)} attempts answered: {first.reason}", first.traceback
    )
    return "failed"


def _final(record: RolloutRecord) -> FinalAnswer:
    explanation = record.steps[-1].text.split("<answer>")[0].strip() if record.steps else ""
    return FinalAnswer(text=record.answer, explanation=explanation, confidence=record.confidence)
