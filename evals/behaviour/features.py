"""The figures that the behaviour rules read off a trajectory."""

from __future__ import annotations

from dataclasses import dataclass

from agents.normal_form import normalise
from evals.behaviour.trajectory import Certainty, Finish, Trajectory

FIRST_PART = 1 / 3


@dataclass(frozen=True, slots=True)
class Features:
    """Shares are in [0, 1], of the limits that are known; None where none is, or where there was nothing to place.

    used: at the peak; used_at_last_search: when the last search was asked for; first_answer_at: where in the rollout
    the first answer was proposed; early_queries: distinct ones of the first third.
    """

    turns: int
    searches: int
    ends_with_search: bool
    finish: Finish
    certainty: Certainty
    used: float | None
    used_at_last_search: float | None
    first_answer_at: float | None
    first_certainty: Certainty | None
    unchanged: bool
    correct: bool | None
    verifications: int
    early_queries: int


def features_of(trajectory: Trajectory) -> Features:
    first = trajectory.proposals[0] if trajectory.proposals else None
    return Features(
        turns=trajectory.turns,
        searches=len(trajectory.searches),
        ends_with_search=trajectory.ends_with_search,
        finish=trajectory.finish,
        certainty=trajectory.certainty,
        used=trajectory.limits.share(tokens=trajectory.peak_tokens, turns=trajectory.turns),
        used_at_last_search=_used_at_last_search(trajectory),
        first_answer_at=trajectory.place(first.turn) if first else None,
        first_certainty=first.certainty if first else None,
        unchanged=trajectory.unchanged,
        correct=trajectory.correct,
        verifications=trajectory.verifications,
        early_queries=_early_queries(trajectory),
    )


def _used_at_last_search(trajectory: Trajectory) -> float | None:
    if not trajectory.searches:
        return None
    turn = trajectory.searches[-1].turn
    return trajectory.limits.share(tokens=trajectory.context_tokens[turn], turns=turn + 1)


def _early_queries(trajectory: Trajectory) -> int:
    """Two spellings of the same words are one query."""
    early = [search for search in trajectory.searches if trajectory.place(search.turn) < FIRST_PART]
    return len({normalise(search.query) for search in early})
