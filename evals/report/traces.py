"""Which generations say most about a system's failures, and a rollout's steps cut to what a page can show."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from evals.report.document import Generation
from evals.report.joined import Column, Joined, Row
from evals.report.sections.comparisons import mean_score
from store.types import RolloutRecord, StepRecord

TURN_CHARS = 1_500
TURNS = 40


@dataclass(frozen=True, slots=True)
class Turn:
    """`hits`: names of the chunks that came back. `note`: what went wrong with a call."""

    kind: str
    text: str
    queries: tuple[str, ...]
    hits: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Trace:
    """`left_out`: turns in the middle that are not shown; `cut`: turns whose text is shown in part."""

    rollout: str
    turns: tuple[Turn, ...]
    left_out: int
    cut: int
    attempts: int


def telling_failures(joined: Joined, count: int) -> list[str]:
    """Rollout keys: of each system its most telling failures, one a question.

    First where another system is right, then the surest of being right, then what ended without an answer.
    """
    return [key for column in joined.columns for key in _of(joined, column, count)]


def make_trace(record: RolloutRecord, *, name_of: Callable[[int], str]) -> Trace:
    """The first and the last turns; the beginning of each."""
    steps = record.steps
    kept = steps if len(steps) <= TURNS else [*steps[: TURNS // 2], *steps[-TURNS // 2 :]]
    return Trace(
        rollout=record.key,
        turns=tuple(_turn(step, name_of) for step in kept),
        left_out=len(steps) - len(kept),
        cut=sum(len(step.text) > TURN_CHARS for step in kept),
        attempts=len(record.attempts),
    )


def _of(joined: Joined, column: Column, count: int) -> Iterable[str]:
    threshold = column.document.settings.threshold
    found: list[tuple[tuple[float, float, float, str], str]] = []
    for row in joined.rows:
        wrong = [one for one in row.answers.get(column.label, ()) if (one.score or 0.0) < threshold]
        if wrong:
            worst = min(wrong, key=_order)
            found.append(((-_others(row, column.label), *_order(worst), row.question.key), worst.rollout))
    return [key for _, key in sorted(found)[:count]]


def _order(one: Generation) -> tuple[float, float]:
    """Judged wrong before unfinished before failed; the surest first."""
    rank = {"finished": 0.0, "unfinished": 1.0, "failed": 2.0}[one.status]
    return rank, -(one.confidence or 0.0)


def _others(row: Row, label: str) -> float:
    """The best mean of another system."""
    return max((mean_score(own) or 0.0 for name, own in row.answers.items() if name != label), default=0.0)


def _turn(step: StepRecord, name_of: Callable[[int], str]) -> Turn:
    errors = [f"{call.tool}: {call.error}" for call in step.calls if call.error]
    text = step.text if len(step.text) <= TURN_CHARS else f"{step.text[:TURN_CHARS]} …"
    return Turn(str(step.kind), text, tuple(step.queries), tuple(map(name_of, step.hits)), "; ".join(errors))
