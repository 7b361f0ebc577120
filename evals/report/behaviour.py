"""The behaviour profile in an evaluation's document; made by `evals.behaviour.Profile`."""

from __future__ import annotations

from pydantic import Field

from evals.report.closed import Closed, DistributionFigures, Estimate


class ClassExample(Closed):
    """`rollout`: key of the trace; `reason`: the rule that named its class."""

    rollout: str
    reason: str


class ClassShare(Closed):
    """`solved`: share of right answers among the class's judged rollouts."""

    rollouts: int
    share: float
    solved: float | None
    examples: tuple[ClassExample, ...]


class Accuracy(Closed):
    rollouts: int
    solved: Estimate | None


class RecallFigures(Closed):
    """Of rollouts whose question has gold chunks in the corpus."""

    rollouts: int
    recall: float | None
    searches_to_full_recall: DistributionFigures | None
    searches_after_full_recall: DistributionFigures | None
    accuracy: dict[str, Accuracy] = Field(description="all, some or none of the gold chunks retrieved")


class BehaviourFigures(Closed):
    """How a system of ours searched: shares of the six classes, lengths, documents, recall."""

    rollouts: int
    failed: int
    classes: dict[str, ClassShare]
    turns: DistributionFigures | None
    searches: DistributionFigures | None
    distinct_queries: DistributionFigures | None
    compressions: DistributionFigures | None
    unique_documents: DistributionFigures | None
    unique_documents_by_turn: tuple[float, ...]
    recall: RecallFigures | None
