"""`kind: stage`: a part of the bootstrapping loop as a node; the loop itself supplies what a stage does."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from graphs.schema.node import Node

StageName = Literal["synthesize", "deduplicate", "solve", "filter", "check_quality", "snapshot", "train", "evaluate"]
# What each stage works on is made by another: that one must come before it.
STAGE_NEEDS: dict[str, str] = {
    "deduplicate": "synthesize",
    "solve": "deduplicate",
    "filter": "solve",
    "check_quality": "filter",
    "snapshot": "filter",
    "train": "snapshot",
    "evaluate": "train",
}
# What a stage drops must be dropped before another freezes what is left.
STAGE_BEFORE: dict[str, str] = {"check_quality": "snapshot"}
# The agent graph that a stage runs when the node names none; the other stages run none.
STAGE_GRAPHS: dict[StageName, str] = {
    "synthesize": "qa_generator",
    "deduplicate": "dedup",
    "solve": "solver",
    "check_quality": "quality_filter",
    "evaluate": "solver",
}


class StageNode(Node):
    """One stage of an iteration of the bootstrapping loop. Outcome: ok."""

    kind: Literal["stage"]
    stage: StageName = Field(
        description="synthesize: documents to questions; deduplicate: repeats dropped; solve: G judged rollouts a "
        "question; filter: solved by all or by none dropped; check_quality: unsound ones dropped; snapshot: the "
        "dataset is frozen; train: OAPL on it; evaluate: the trained policy on the held-out questions"
    )
    graph: str | None = Field(default=None, description="agent graph that the stage runs; absent: the built-in choice")

    @property
    def runs(self) -> str | None:
        """The agent graph that this stage runs."""
        return self.graph or STAGE_GRAPHS.get(self.stage)
