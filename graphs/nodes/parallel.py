"""N independent rollouts of another graph: parallel thinking (KARL, section 6)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from graphs.events import AttemptFinished
from graphs.harness import Harness, step_seed
from graphs.nodes.base import Node, Update, gather_all
from graphs.schema import ParallelNode
from graphs.state import GraphState, Rollout
from prompts.output import FinalAnswer
from store.attempt_keys import AttemptPlace, attempt_key
from store.types import Failure, FailureKind, Purpose, RolloutRecord

_POLICY_FAULTS = (FailureKind.BUDGET, FailureKind.PARSE)


def parallel_node(harness: Harness, node: ParallelNode) -> Node:
    """`runs` rollouts side by side; those that failed or gave no answer are left out, all are kept as attempts.

    Attempts and answers of earlier parallel nodes stay, and count with these in what comes after.
    """

    async def attempt(state: GraphState) -> Update:
        rollout = state.rollout
        assert rollout is not None  # checked by the runner: a graph with a role runs rollouts
        rollout.batches += 1
        attempts = _Attempts(harness, node, rollout, state.values.get("purpose", Purpose.ASK))
        records = await gather_all([attempts.run(index) for index in range(node.runs)])
        rollout.attempts += records
        # Only what they came to: an aggregating policy sees final answers, never the ways to them.
        rollout.answers += [_final(record) for record in records if record.answer]
        rollout.failure = _too_few(records, node)
        return {"outcome": "failed" if rollout.failure else node.strategy}

    return attempt


@dataclass
class _Attempts:
    """One batch of a rollout's attempts."""

    harness: Harness
    node: ParallelNode
    rollout: Rollout
    purpose: Purpose
    finished: int = 0

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.node.concurrency or self.node.runs)

    async def run(self, index: int) -> RolloutRecord:
        """The attempt `index`; its seed depends on nothing but the rollout's and its place among the attempts."""
        place = AttemptPlace(self.rollout.batches, index)
        rollout, asked, free = self.rollout, time.monotonic(), not self._slots.locked()
        async with self._slots:
            began = time.monotonic()
            record = await self.harness.runners[self.node.runner].run(
                rollout.inputs,
                key=attempt_key(rollout.key, self.node.graph, place),
                purpose=self.purpose,
                seed=step_seed(rollout.seed, place.batch - 1, index + 1),
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


def _too_few(records: Sequence[RolloutRecord], node: ParallelNode) -> Failure | None:
    """Too few attempts answered: the environment's fault only if it broke every one that did not."""
    answered, total = sum(bool(record.answer) for record in records), len(records)
    if answered >= node.min_finished:
        return None
    failures = [record.failure for record in records if record.failure]
    own = next((failure for failure in failures if failure.kind in _POLICY_FAULTS), None)
    first = own or (failures[0] if failures else Failure(FailureKind.PARSE, "the answers are empty"))
    found = f"only {answered} of {total}" if answered else f"none of {total}"
    wanted = f", {node.min_finished} are needed" if answered else ""
    return Failure(first.kind, f"{found} attempts answered{wanted}: {first.reason}", first.traceback)
