"""Node kinds that spend more at test time and choose (KARL, section 6): candidates of a step, attempts, votes."""

from __future__ import annotations

import json
from typing import Any, Literal, Self, get_args

from pydantic import Field, model_validator

from graphs.schema.node import Node, SpeakingNode

Vote = Literal["majority", "weighted_majority", "best_of_n"]
Strategy = Literal["generative", "majority", "weighted_majority", "best_of_n"]
VOTES: dict[str, Vote] = {name: name for name in get_args(Vote)}
STRATEGIES: frozenset[str] = frozenset(get_args(Strategy))


class ValueSelectNode(SpeakingNode):
    """A turn of which `candidates` are sampled from the same tokens; the one with the highest value is kept.

    Outcomes: search, answer, malformed, and those of the budgets.
    """

    kind: Literal["value_select"] = Field(description="a turn chosen among candidates by value")
    prompt: str = Field(description="opens the conversation when this node is the first to speak")
    candidates: int = Field(default=2, ge=1, le=64, description="1: a plain policy turn, no value is asked for")


class ParallelNode(Node):
    """`runs` independent rollouts of another graph. Outcomes: the `strategy`; failed when too few of them answered."""

    kind: Literal["parallel"] = Field(description="independent rollouts of another graph")
    graph: str = Field(description="name of the graph whose rollouts are the attempts")
    changes: dict[str, Any] = Field(default_factory=dict, description="laid over that graph, as `overrides` would be")
    runs: int = Field(default=3, ge=1, le=1_000, description="how many attempts")
    concurrency: int | None = Field(default=None, ge=1, description="attempts under way at once; null: all of them")
    min_finished: int = Field(default=1, ge=1, description="fewer answers than this: the rollout failed")
    strategy: Strategy = Field(
        default="generative",
        description="generative: a policy node combines the answers; the others: a vote node chooses one",
    )

    @property
    def runner(self) -> str:
        """Which of a harness's runners it asks: two nodes may run the same graph with different changes."""
        changed = json.dumps(self.changes, sort_keys=True) if self.changes else ""
        return self.graph + changed

    @model_validator(mode="after")
    def _can_finish(self) -> Self:
        if self.min_finished > self.runs:
            raise ValueError(f"min_finished is {self.min_finished}, but there are {self.runs} runs; raise 'runs'")
        return self


class VoteNode(Node):
    """One of the attempts' answers, chosen by votes or by weight. Outcome: ok."""

    kind: Literal["vote"] = Field(description="chooses one of the attempts' answers")
    strategy: Vote | None = Field(default=None, description="null: as the parallel node before it says")
    weights: Literal["value", "confidence"] | None = Field(
        default=None,
        description="what an attempt weighs: the value of its answer, or the confidence it states; null: the value "
        "where there is a value function, else the confidence",
    )
    equivalence: Literal["match", "judge"] = Field(
        default="match",
        description="when two answers are one: equal in normal form, or also when a judge says so",
    )
