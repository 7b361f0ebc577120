"""What a run's rollouts cost so far, and which went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from karl.control.prices import Tokens, costs
from store import queries
from store.queries import Outcome
from store.session import Session
from store.types import FailureKind, RolloutStatus


@dataclass(frozen=True, slots=True)
class SpendingRow:
    """usd None: its model has no price."""

    role: str
    model: str
    rollouts: int
    read: int
    sampled: int
    searches: int
    usd: float | None


@dataclass(frozen=True, slots=True)
class SpendingView:
    """usd: of all of it, None where one has no price; problem: of the price table, else empty."""

    rows: tuple[SpendingRow, ...]
    usd: float | None
    problem: str

    @property
    def unpriced(self) -> list[str]:
        return sorted({row.model for row in self.rows if row.usd is None})


@dataclass(frozen=True, slots=True)
class FailureRow:
    """Rollouts that went wrong in one way. kind None: no kind is known."""

    status: RolloutStatus
    kind: FailureKind | None
    rollouts: int


def read_spending(session: Session, run_id: int) -> SpendingView:
    found = queries.spending(session, run_id)
    paid = costs([Tokens(row.model, row.prompt_tokens, row.sampled_tokens) for row in found])
    rows = tuple(
        SpendingRow(str(row.role), row.model, row.rollouts, row.prompt_tokens, row.sampled_tokens, row.searches, usd)
        for row, usd in zip(found, paid.usd, strict=True)
    )
    known = [usd for usd in paid.usd if usd is not None]
    return SpendingView(rows, sum(known) if known and len(known) == len(rows) else None, paid.problem)


def failures(outcomes: Sequence[Outcome]) -> tuple[FailureRow, ...]:
    """By kind, the most frequent first; behind them those that ran out of their own budget, which is no failure."""
    failed: Counter[FailureKind | None] = Counter()
    for row in outcomes:
        if row.status is RolloutStatus.FAILED:
            failed[row.failure_kind] += row.rollouts
    ordered = sorted(failed.items(), key=lambda item: (-item[1], str(item[0])))
    rows = [FailureRow(RolloutStatus.FAILED, kind, count) for kind, count in ordered]
    unfinished = sum(row.rollouts for row in outcomes if row.status is RolloutStatus.UNFINISHED)
    return (*rows, *([FailureRow(RolloutStatus.UNFINISHED, None, unfinished)] if unfinished else []))
