"""What rollouts cost: tokens by role times the user's prices. A model without a price makes a cost unknown, never 0."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from evals.prices import PriceTable
from evals.statistics import Interval, interval
from store.types import RolloutRecord, StepKind, StepRecord


class Spender(StrEnum):
    POLICY = "policy"
    JUDGE = "judge"


@dataclass(frozen=True, slots=True)
class TokenUse:
    """Tokens of one model in one role. `input` holds the cached ones too; cached_input None: nobody knows how many."""

    model: str
    spender: Spender
    input: int
    output: int
    cached_input: int | None = None

    def __post_init__(self) -> None:
        if min(self.input, self.output, self.cached_input or 0) < 0 or (self.cached_input or 0) > self.input:
            raise ValueError(f"{self.model}: {self.input} input tokens, {self.cached_input} of them cached")


@dataclass(frozen=True, slots=True)
class Cost:
    """usd: None where a model has no price; `unpriced` names those. The tokens are known either way."""

    usd: float | None
    by_spender: dict[Spender, float | None]
    uses: tuple[TokenUse, ...]
    unpriced: tuple[str, ...]


def uses_of(record: RolloutRecord, *, prefix_cache: bool = False) -> list[TokenUse]:
    """Its own tokens and those of its attempts, each by its own model. Candidates that lost were sampled too.

    prefix_cache: count as cached what a perfect prefix cache would have kept: of each prompt all that the turn before
    read or sampled, as long as the conversation only grew. Otherwise it is unknown how much was cached.
    """
    own = TokenUse(
        model=record.provenance.model,
        spender=Spender.POLICY,
        input=sum(step.prompt_tokens * _requests(step) for step in record.steps),
        output=record.sampled_tokens + record.discarded_tokens,
        cached_input=_cached(record.steps) if prefix_cache else None,
    )
    return [own, *(use for attempt in record.attempts for use in uses_of(attempt, prefix_cache=prefix_cache))]


def cost_of(uses: Iterable[TokenUse], prices: PriceTable) -> Cost:
    """Cached tokens that nobody counted are paid as any other input: at most too much, never too little."""
    listed = tuple(uses)
    unpriced = tuple(sorted({use.model for use in listed if _spent(use) and use.model not in prices.models}))
    parts = {
        spender: _sum(_usd(use, prices) for use in listed if use.spender is spender)
        for spender in Spender
        if any(use.spender is spender for use in listed)
    }
    return Cost(_sum(parts.values()), parts, listed, unpriced)


def cost_figures(by_question: Mapping[str, Sequence[Cost]]) -> dict[str, Any]:
    """question -> the costs of its generations. A query costs what its generations cost on average.

    usd_per_query is None as soon as one generation's cost is unknown: an average of the others would favour them.
    """
    asked = {question: own for question, own in by_question.items() if own}
    every = [cost for own in asked.values() for cost in own]
    per_query = [_mean_usd(own) for own in asked.values()]
    known = [usd for usd in per_query if usd is not None]
    return {
        "questions": len(asked),
        "generations": len(every),
        "usd_per_query": _rounded(interval(known)) if known and len(known) == len(per_query) else None,
        "tokens_per_query": {
            str(spender): _tokens(asked, spender)
            for spender in Spender
            if any(spender in cost.by_spender for cost in every)
        },
        "unpriced": sorted({model for cost in every for model in cost.unpriced}),
    }


def _rounded(found: Interval) -> dict[str, float]:
    """Four significant digits: a query may cost a hundredth of a cent."""
    return {name: float(f"{usd:.4g}") for name, usd in found._asdict().items()}


def _requests(step: StepRecord) -> int:
    """Every candidate of a step reads the same prompt."""
    return max(1, len(step.alternatives))


def _cached(steps: Sequence[StepRecord]) -> int:
    """Candidates after the first find the whole prompt cached. What follows a compression opens a prompt anew."""
    cached, before = 0, 0
    for step in steps:
        cached += before if before <= step.prompt_tokens else 0
        cached += step.prompt_tokens * (_requests(step) - 1)
        before = 0 if step.kind is StepKind.COMPRESS else step.prompt_tokens + step.sampled_tokens
    return cached


def _spent(use: TokenUse) -> bool:
    return use.input > 0 or use.output > 0


def _usd(use: TokenUse, prices: PriceTable) -> float | None:
    """None: no price. Nothing spent costs nothing at any price."""
    if use.model in prices.models:
        cached = use.cached_input or 0
        return prices.models[use.model].usd(input=use.input - cached, cached_input=cached, output=use.output)
    return None if _spent(use) else 0.0


def _sum(parts: Iterable[float | None]) -> float | None:
    listed = list(parts)
    known = [part for part in listed if part is not None]
    return sum(known) if len(known) == len(listed) else None


def _mean_usd(costs: Sequence[Cost]) -> float | None:
    whole = _sum(cost.usd for cost in costs)
    return None if whole is None else whole / len(costs)


def _tokens(asked: Mapping[str, Sequence[Cost]], spender: Spender) -> dict[str, float | None]:
    """Mean over questions of the mean over their generations."""
    means: dict[str, float | None] = {}
    for name in ("input", "cached_input", "output"):
        per_query = [_sum(_count(cost, spender, name) for cost in own) for own in asked.values()]
        weighted = zip(per_query, asked.values(), strict=True)
        whole = _sum(None if count is None else count / len(own) for count, own in weighted)
        means[name] = None if whole is None or not asked else round(whole / len(asked), 2)
    return means


def _count(cost: Cost, spender: Spender, name: str) -> float | None:
    return _sum(getattr(use, name) for use in cost.uses if use.spender is spender)
