"""What moved between two runs over the same questions: unsolved, partly solved and solved, before and after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class PassState(StrEnum):
    """`PARTIAL`: some attempts at the question are right and some are wrong."""

    UNSOLVED = "unsolved"
    PARTIAL = "partial"
    SOLVED = "solved"


class Move(StrEnum):
    GAINED = "gained"
    LOST = "lost"
    STAYED = "stayed"


@dataclass(frozen=True, slots=True)
class Moved:
    """One question's pass rates, before and after."""

    question: str
    before: float
    after: float

    @property
    def states(self) -> tuple[PassState, PassState]:
        return state_of(self.before), state_of(self.after)

    @property
    def move(self) -> Move:
        """By rate, not by state: a partly solved question may gain and stay partly solved."""
        return Move.GAINED if self.after > self.before else Move.LOST if self.after < self.before else Move.STAYED


@dataclass(frozen=True, slots=True)
class Transitions:
    """`questions`: those of both runs, the greatest gains first; the other two are those of one run only."""

    questions: tuple[Moved, ...]
    only_before: int
    only_after: int

    def matrix(self) -> dict[PassState, dict[PassState, int]]:
        """before -> after -> questions."""
        counts = Counter(one.states for one in self.questions)
        return {before: {after: counts[before, after] for after in PassState} for before in PassState}

    def crossed(self, before: PassState, after: PassState) -> list[Moved]:
        """Questions of one cell of the matrix."""
        return [one for one in self.questions if one.states == (before, after)]

    def as_dict(self) -> dict[str, Any]:
        moves = Counter(one.move for one in self.questions)
        return {
            "questions": len(self.questions),
            "only_before": self.only_before,
            "only_after": self.only_after,
            "matrix": {str(old): {str(new): n for new, n in row.items()} for old, row in self.matrix().items()},
            "moves": {str(move): moves[move] for move in Move},
        }


def state_of(rate: float) -> PassState:
    """Raises: ValueError for what is no share."""
    if not 0.0 <= rate <= 1.0:
        raise ValueError(f"pass rate {rate}: give the share of right attempts, from 0 to 1")
    return PassState.UNSOLVED if rate == 0.0 else PassState.SOLVED if rate == 1.0 else PassState.PARTIAL


def transitions(before: Mapping[str, float], after: Mapping[str, float]) -> Transitions:
    """question -> pass rate, of two runs. Raises: ValueError for a rate that is no share."""
    shared = [Moved(question, before[question], after[question]) for question in before if question in after]
    for one in shared:
        _ = one.states  # a bad rate is found now, not when the matrix is drawn
    ordered = sorted(shared, key=lambda one: (one.before - one.after, one.question))
    return Transitions(tuple(ordered), len(before.keys() - after.keys()), len(after.keys() - before.keys()))
