"""Cost and latency in an evaluation's document; made by `evals.cost` and `evals.latency`."""

from __future__ import annotations

from pydantic import Field

from evals.report.closed import Closed, DistributionFigures, Estimate


class TokenFigures(Closed):
    """Means over questions. None: somebody did not count them. `cached_input` is part of `input`."""

    input: float | None
    cached_input: float | None
    output: float | None


class CostFigures(Closed):
    """`usd_per_query`: of a question's generation on average; None as soon as one generation's cost is unknown."""

    questions: int
    generations: int
    usd_per_query: Estimate | None
    tokens_per_query: dict[str, TokenFigures] = Field(description="policy or judge -> tokens")
    unpriced: tuple[str, ...] = Field(description="models without a price in the price file")


class VarianceFigures(Closed):
    """Of the time to the first answer token: between questions, and within one; `share_between` is the first's."""

    between: float
    within: float
    share_between: float | None


class LatencyFigures(Closed):
    """`seconds`: ttfat (to the first answer token), llm, tool, overhead, queued; failed rollouts are left out.

    `known`: how many of the times are measured, placed inside their turn, or end to end.
    """

    rollouts: int
    known: dict[str, int]
    seconds: dict[str, DistributionFigures | None]
    variance: VarianceFigures | None
