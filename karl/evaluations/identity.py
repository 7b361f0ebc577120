"""What an evaluation is: hashes by which the same command goes on, and another setting is another evaluation.

The rollouts' identity says what was asked, and of what; an arm's, who answered and how; the document's is both, with
the judge. So another system joins its rollouts to those that are there, and another judge runs none again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from evals.items import EvalItem
from evals.report.document import CorpusEntry, JudgeEntry
from karl.evaluations.config import EvalConfig
from karl.evaluations.graphs import TaskGraph
from karl.evaluations.suite import TaskPlan
from karl.evaluations.systems import System

SHORT = 8  # digits of a hash in a name


def sha256_of(value: Any) -> str:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def items_sha256(items: Sequence[EvalItem]) -> str:
    return sha256_of([item.model_dump(mode="json") for item in items])


def setup_of(config: EvalConfig, plans: Sequence[TaskPlan], corpora: Mapping[str, CorpusEntry]) -> dict[str, Any]:
    """Of the rollouts."""
    return {
        "tasks": {
            plan.name: {
                "items": items_sha256(plan.items),
                "corpus": corpora[plan.corpus].sha256,
                "embedder": corpora[plan.corpus].embedder,
            }
            for plan in plans
        },
        "samples": config.samples,
        "temperature": config.temperature,
        "seed": config.seed,
    }


def arm_identity(system: System, graphs: Mapping[str, TaskGraph]) -> dict[str, Any]:
    """Of one system: weights or source, the endpoint's address, and for each task graph, prompts and functions."""
    return {
        "kind": system.kind,
        # A checkpoint is its weights, wherever they lie.
        "name": "" if system.kind == "checkpoint" else system.model,
        "sha256": system.sha256,
        "url": system.url,
        "graphs": {task: graph.identity for task, graph in graphs.items()},
    }


def document_sha256(
    setup: Mapping[str, Any], arms: Mapping[str, Mapping[str, Any]], judge: JudgeEntry, *, threshold: float
) -> str:
    return sha256_of({"setup": setup, "arms": arms, "judge": judge.model_dump(), "threshold": threshold})
