"""N independent rollouts of another graph: parallel thinking (KARL, section 6)."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace

from graphs.events import AttemptFinished
from graphs.harness import Harness, step_seed
from graphs.nodes.base import Node, Update, gather_all
from graphs.schema import ParallelNode
from graphs.state import GraphState, Rollout
from prompts.output import FinalAnswer
from store.types import Failure, FailureKind, Purpose, RolloutRecord

_POLICY_FAULTS = (FailureKind.BUDGET, FailureKind.PARSE)


def parallel_node(harness: Harness, node: ParallelNode) -> Node:
    """`runs` rollouts side by side; those that failed or gave no answer are left out, all are kept as attempts."""

    async def attempt(state: GraphState) -> Update:
        rollout = state.rollout
        assert rollout is not None  # checked by the runner: a graph with a role runs rollouts
        attempts = _Attempts(harness, node, rollout, state.values.get("purpose", Purpose.ASK))
        rollout.attempts = await gather_all([attempts.run(index) for index in range(node.runs)])
        # Only what they came to: an aggregating policy sees final answers, never the ways to them.
        rollout.answers = [_final(record) for record in rollout.attempts if record.answer]
        if len(rollout.answers) < node.min_finished:
            rollout.failure = _too_few(rollout, node)
            return {"outcome": "failed"}
        return {"outcome": node.strategy}

    return attempt


@dataclass
class _Attempts:
    """The attempts of one rollout."""

    harness: Harness
    node: ParallelNode
    rollout: Rollout
    purpose: Purpose
    finished: int = 0

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.node.concurrency or self.node.runs)

    async def run(self, index: int) -> RolloutRecord:
        """The attempt `index`; its seed depends on nothing but the rollout's and the index."""
        rollout, asked, free = self.rollout, time.monotonic(), not self._slots.locked()
        async with self._slots:
            began = time.monotonic()
            record = await self.harness.runners[self.node.runner].run(
                rollout.inputs,
                key=f"{rollout.key}/{self.node.graph}-{index}",
                purpose=self.purpose,
                seed=step_seed(rollout.seed, 0, index + 1),
                temperature=rollout.temperature,
                emit=rollout.emit,
                streams=rollout.streams,
            )
        record = replace(record, queued=0.0 if free else began - asked, began=began - rollout.began)
        self._tell(record)
        return record

    def _tell(self, record: RolloutRecord) -> None:
        self.finished += 1
        if self.rollout.emit:
            total = self.node.runs
            event = AttemptFinished(
                self.rollout.key, record.key, self.finished, total, record.answer, failure=record.failure
            )
            self.rollout.emit(event)


def _final(record: RolloutRecord) -> FinalAnswer:
    return FinalAnswer(record.answer, record.explanation or "", record.confidence)


def _too_few(rollout: Rollout, node: ParallelNode) -> Failure:
    """Too few attempts answered: the environment's fault only if it broke every one that did not."""
    failures = [record.failure for record in rollout.attempts if record.failure]
    own = next((failure for failure in failures if failure.kind in _POLICY_FAULTS), None)
    first = own or (failures[0] if failures else Failure(FailureKind.PARSE, "the answers are empty"))
    answered, total = len(rollout.answers), len(rollout.attempts)
    found = f"only {answered} of {total}" if answered else f"none of {total}"
    wanted = f", {node.min_finished} are needed" if answered else ""
    return Failure(first.kind, f"{found} attempts answered{wanted}: {first.reason}", first.traceback)
