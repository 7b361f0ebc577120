"""Policies on the held-out questions: the figures of those that are done, and how far the others are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from store import queries
from store.models import EvalResult
from store.queries import Outcome
from store.session import Session
from store.types import Purpose
from tui.reading.figures import Figure

VALIDATION = re.compile(r"/step-\d+/")  # of an epoch, on questions that are not held out
NUMBER = re.compile(r"-\d+$")


@dataclass(frozen=True, slots=True)
class ArmView:
    """One policy on the held-out questions. A figure that its evaluation does not have is None."""

    arm: str
    iteration: int
    temperature: float
    k: str  # "8" of max@8
    pass_at_1: Figure | None
    max_at_k: Figure | None
    searches: Figure | None

    @property
    def line(self) -> str:
        """What it is compared over iterations with: its algorithm, and its temperature unless that is 1."""
        name = NUMBER.sub("", self.arm.split("@")[0])
        return name if self.temperature == 1 else f"{name} T={self.temperature:g}"


@dataclass(frozen=True, slots=True)
class ArmProgress:
    """A policy whose figures are not there yet. reward: the mean so far, None: nothing was judged."""

    arm: str
    rollouts: int
    reward: float | None


@dataclass(frozen=True, slots=True)
class EvaluationView:
    arms: tuple[ArmView, ...]
    under_way: tuple[ArmProgress, ...]


def read_evaluation(session: Session, run_id: int, outcomes: Sequence[Outcome]) -> EvaluationView:
    arms = tuple(arm_view(result) for result in queries.eval_results(session, run_id))
    return EvaluationView(arms, under_way(outcomes, done={arm.arm for arm in arms}))


def arm_view(result: EvalResult) -> ArmView:
    widest = next((name for name in result.figures if name.startswith("max@")), "max@k")
    return ArmView(
        arm=result.arm,
        iteration=result.iteration,
        temperature=result.temperature,
        k=widest.removeprefix("max@"),
        pass_at_1=_figure(result.figures, "pass@1"),
        max_at_k=_figure(result.figures, widest),
        searches=_figure(result.figures, "searches"),
    )


def under_way(outcomes: Sequence[Outcome], *, done: set[str]) -> tuple[ArmProgress, ...]:
    """Arms in the order of their names."""
    wanted = [row for row in outcomes if row.purpose is Purpose.EVALUATE and row.arm and row.arm not in done]
    arms = sorted({row.arm for row in wanted if VALIDATION.search(row.arm) is None})
    return tuple(_progress(arm, [row for row in wanted if row.arm == arm]) for arm in arms)


def _progress(arm: str, rows: Sequence[Outcome]) -> ArmProgress:
    rewarded = sum(row.rewarded for row in rows)
    total = sum((row.reward or 0.0) * row.rewarded for row in rows)
    return ArmProgress(arm, sum(row.rollouts for row in rows), total / rewarded if rewarded else None)


def _figure(figures: Mapping[str, Any], name: str) -> Figure | None:
    return Figure(**figures[name]) if name in figures else None
