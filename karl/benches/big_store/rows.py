"""Rows of made-up rollouts, as mappings for bulk inserts: seeded, of realistic widths, with every kind of outcome."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from evals.behaviour import BehaviourClass
from store import binary
from store.models import now
from store.types import FailureKind, Purpose, Role, RolloutStatus, StepKind

TEXT = (
    "the report of the regional team says that revenue from the northern product line rose after the merger while "
    "costs for storage fell and a customer in the harbour city asked for a later delivery date than agreed upon in the "
    "contract signed by both founders before the audit"
)
FAILED, UNFINISHED = 0.02, 0.04
Row = dict[str, Any]


def words(rng: random.Random, count: int) -> str:
    return " ".join(rng.choices(TEXT.split(), k=count))


# What all rollouts have in common.
SAME = {
    "role": Role.SOLVER,
    "graph": "solver",
    "graph_sha256": "a" * 64,
    "prompt_sha256": {"solver": "b" * 64},
    "model": "made-up-4b",
    "temperature": 1.0,
    "queued": 0.0,
    "began": 0.0,
    "trainable": True,
}


class RolloutRows:
    """Rows of one rollout after another. Ids are given out here: bulk inserts return none."""

    def __init__(self, rng: random.Random, *, steps: int, tokens: int, chunks: range) -> None:
        self._rng, self._steps, self._tokens, self._chunks = rng, steps, tokens, chunks

    def rollout(
        self,
        rollout_id: int,
        *,
        key: str,
        run_id: int,
        iteration: int,
        task_id: int,
        question: str,
        arm: str,
        attempt: int,
    ) -> Row:
        """The row itself; its outcome is drawn."""
        status, failure, reward = self._outcome()
        return {
            "id": rollout_id,
            "key": key,
            "run_id": run_id,
            "iteration": iteration,
            "task_id": task_id,
            "arm": arm,
            "attempt": attempt,
            "purpose": Purpose.EVALUATE if arm else Purpose.TRAIN,
            "status": status,
            "question": question,
            **self._answer(failure),
            "reward": reward,
            "policy_version": iteration,
            "seed": self._rng.getrandbits(31),
            "step_count": self._steps,
            "search_count": self._steps - 1,
            "sampled_tokens": 60 * self._steps,
            "prompt_tokens": sum(400 + 300 * n for n in range(self._steps)),
            "seconds": round(self._rng.uniform(1, 60), 3),
            "behaviour": "" if reward is None else str(self._rng.choice(list(BehaviourClass))),
            "created_at": now(),
            **SAME,
        }

    def _outcome(self) -> tuple[RolloutStatus, FailureKind | None, float | None]:
        """Status, what it failed of, reward."""
        drawn = self._rng.random()
        if drawn < FAILED:
            return RolloutStatus.FAILED, self._rng.choice(list(FailureKind)), None
        if drawn < FAILED + UNFINISHED:
            return RolloutStatus.UNFINISHED, None, 0.0
        return RolloutStatus.FINISHED, None, float(self._rng.random() < 0.5)

    def _answer(self, failure: FailureKind | None) -> Row:
        return {
            "answer": "" if failure else self.words(4),
            "explanation": self.words(40),
            "confidence": None if failure else round(self._rng.random(), 2),
            "citations": self._rng.sample(self._chunks, 2),
            "failure_kind": failure,
            "failure_reason": f"made-up: {failure}" if failure else "",
            "failure_traceback": "Traceback (most recent call last):\n  made up" if failure else "",
        }

    def steps(self, rollout_id: int) -> Iterator[Row]:
        """Searches, then an answer."""
        for ordinal in range(self._steps):
            answers = ordinal + 1 == self._steps
            query, hits = self.words(5), self._rng.sample(self._chunks, 5)
            call = {"tool": "search", "arguments": {"query": query}, "hits": hits, "reply": "", "error": None}
            yield {
                "rollout_id": rollout_id,
                "ordinal": ordinal,
                "kind": StepKind.ANSWER if answers else StepKind.SEARCH,
                "text": self.words(25),
                "query": None if answers else query,
                "hits": [] if answers else hits,
                "prompt_tokens": 400 + 300 * ordinal,
                "sampled_tokens": 60,
                "policy_seconds": 0.5,
                "tool_seconds": 0.01,
                "calls": [] if answers else [call | {"seconds": 0.01}],
                "alternatives": [],
                "value": None,
            }

    def segment(self, rollout_id: int) -> Row:
        rng, half = self._rng, self._tokens // 2
        mask = [0] * (self._tokens - half) + [1] * half
        return {
            "rollout_id": rollout_id,
            "ordinal": 0,
            "compression": False,
            "token_count": self._tokens,
            "trained_token_count": half,
            "token_ids": binary.pack_ids([rng.randrange(1000) for _ in mask]),
            "loss_mask": binary.pack_mask(mask),
            "logprobs": binary.pack_floats([-rng.random() * bit for bit in mask]),
            "engine_crc": None,
        }

    def judgement(self, rollout: Row) -> Row:
        reward = rollout["reward"]
        return {
            "key": f"{rollout['key']}/nuggets",
            "rollout_id": rollout["id"],
            "task_id": rollout["task_id"],
            "kind": "nuggets",
            "judge": "rule",
            "prompt_sha256": "",
            "graph": "",
            "graph_sha256": "",
            "function_sha256": {},
            "labels": ["support" if reward else "not_support"],
            "score": reward,
            "reason": "",
            "created_at": now(),
        }

    def words(self, count: int) -> str:
        return words(self._rng, count)
