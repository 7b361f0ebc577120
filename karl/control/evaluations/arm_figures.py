"""The figures of one arm of a run, as the store keeps them. An older row lacks some: they are empty, not guessed."""

from __future__ import annotations

from pydantic import BaseModel, Field

from karl.control.evaluations.values import Interval, Point
from store.models import EvalResult


class _Mean(BaseModel):
    mean: float
    low: float
    high: float


class _Stored(BaseModel):
    """Of `evals.suite.figures`, what is no mean with an interval."""

    questions: int = 0
    attempts: int = Field(default=0, description="scored ones")
    failed: int = 0
    unfinished: float = Field(default=0.0, description="share of the scored ones")
    by_kind: dict[str, float] = {}
    per_question: dict[str, float] = {}


class Arm:
    """One policy on the held-out questions. `k`: of its widest max@k."""

    def __init__(self, result: EvalResult) -> None:
        self.name, self.temperature = result.arm, result.temperature
        self.stored = _Stored.model_validate(result.figures)
        self._means = {
            name: _Mean.model_validate(value)
            for name, value in result.figures.items()
            if isinstance(value, dict) and value.keys() == _Mean.model_fields.keys()
        }
        self.k = max((int(name.removeprefix("max@")) for name in self._means if name.startswith("max@")), default=1)

    def mean(self, name: str) -> Interval | None:
        found = self._means.get(name)
        return None if found is None else Interval(found.mean, found.low, found.high)

    @property
    def best(self) -> Interval | None:
        """max@k."""
        return self.mean(f"max@{self.k}")

    def curve(self) -> tuple[Point, ...]:
        """From the rates of the questions, where each has k scored attempts; else its two ends."""
        from evals.statistics import max_at_k_curve

        stored, k = self.stored, self.k
        if not stored.per_question or stored.attempts != k * len(stored.per_question):
            ends = {1: self.mean("pass@1"), k: self.best if k > 1 else self.mean("pass@1")}
            return tuple(Point(at, found, stored.questions) for at, found in ends.items() if found)
        right = {task: round(rate * k) for task, rate in stored.per_question.items()}
        scores = {task: [1.0] * count + [0.0] * (k - count) for task, count in right.items()}
        ks = sorted({2**power for power in range(k.bit_length()) if 2**power <= k} | {k})
        return tuple(Point(one.k, Interval(*one.score), one.questions) for one in max_at_k_curve(scores, ks=ks))
