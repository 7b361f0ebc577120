"""What the parts of an evaluation's document are made of."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from evals.statistics import Interval


class Closed(BaseModel):
    """Frozen, and no key that is not declared: a misspelt one is an error, not a figure that nobody sees."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Estimate(Closed):
    """A mean with its 95% bootstrap interval over questions."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, found: Interval, *, digits: int = 4) -> Self:
        return cls(**{name: round(value, digits) for name, value in found._asdict().items()})


class CurvePoint(Closed):
    """`questions`: those that have k scored generations; a point over fewer than all says so by it."""

    k: int = Field(ge=1)
    score: Estimate
    questions: int


class DistributionFigures(Closed):
    """Percentiles are interpolated linearly."""

    values: int
    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    least: float
    most: float
