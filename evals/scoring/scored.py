"""What every score says of its origin."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Scored(BaseModel, frozen=True, extra="forbid"):
    """A score, and who gave it."""

    judge: str = Field(min_length=1, description="the model that judged, `rule`, or `rule:` and the rule's name")
    prompt_sha256: str = Field(default="", description="of the judge's prompt; empty: a rule, which has none")


def f1(precision: float, recall: float) -> float:
    """Their harmonic mean; 0 where both are 0."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
