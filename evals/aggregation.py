"""Scores of several tasks to one figure: rollouts > split mean > task mean > benchmark mean, with intervals.

A question's generations are averaged first, so that one with a failed generation weighs like any other; then the
questions of a split, the splits of a task, the tasks. The bootstrap resamples questions inside their split. It does not
resample the generations of a question as well: their noise is in the question's mean already and would count twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.statistics import LEVEL, RESAMPLES, Interval


@dataclass(frozen=True, slots=True)
class Scored:
    """All generations of one question. `scores`: those that were judged, at least one."""

    task: str
    question: str
    scores: tuple[float, ...]
    split: str = "test"

    def __post_init__(self) -> None:
        if not self.scores:
            raise ValueError(f"{self.task}, question {self.question}: no score; leave it out, and count it")

    @property
    def mean(self) -> float:
        """The same for the same scores in any order, so that equal systems tie."""
        return fsum(self.scores) / len(self.scores)


@dataclass(frozen=True, slots=True)
class TaskMean:
    score: Interval
    splits: dict[str, Interval]
    questions: int
    generations: int


@dataclass(frozen=True, slots=True)
class Aggregate:
    score: Interval
    tasks: dict[str, TaskMean]

    def as_dict(self) -> dict[str, Any]:
        return {"score": self.score.as_dict(), "tasks": {name: _task_dict(task) for name, task in self.tasks.items()}}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Ours minus theirs over the questions of both. A tie: equal means; `unpaired`: questions of one system only."""

    difference: Aggregate
    wins: int
    ties: int
    losses: int
    unpaired: int

    def as_dict(self) -> dict[str, Any]:
        counts = {"wins": self.wins, "ties": self.ties, "losses": self.losses, "unpaired": self.unpaired}
        return {"difference": self.difference.as_dict(), **counts}


def aggregate(questions: Iterable[Scored], *, seed: int = 0) -> Aggregate:
    """Raises: ValueError for no questions, or one that is there twice."""
    listed, rng = _each_once(questions), np.random.default_rng(seed)
    if not listed:
        raise ValueError("no questions to average")
    tasks: dict[str, TaskMean] = {}
    drawn: list[_Draws] = []
    for task, own in _by(listed, "task").items():
        splits = {split: _Draws.of([one.mean for one in part], rng) for split, part in _by(own, "split").items()}
        drawn.append(_Draws.mean_of(splits.values()))
        intervals = {split: draws.interval() for split, draws in splits.items()}
        tasks[task] = TaskMean(drawn[-1].interval(), intervals, len(own), sum(len(one.scores) for one in own))
    return Aggregate(_Draws.mean_of(drawn).interval(), tasks)


def compare(ours: Iterable[Scored], theirs: Iterable[Scored], *, seed: int = 0) -> Comparison:
    """Paired by task, split and question: what is hard for both cancels. Raises: ValueError for none in common."""
    first, second = ({_key(one): one for one in _each_once(side)} for side in (ours, theirs))
    shared = [key for key in first if key in second]
    if not shared:
        raise ValueError("the two systems have no question in common; compare runs over the same items")
    gains = {key: first[key].mean - second[key].mean for key in shared}
    pairs = [Scored(task, question, (gains[task, split, question],), split) for task, split, question in shared]
    won, lost = sum(gain > 0 for gain in gains.values()), sum(gain < 0 for gain in gains.values())
    unpaired = len(first.keys() ^ second.keys())
    return Comparison(aggregate(pairs, seed=seed), won, len(shared) - won - lost, lost, unpaired)


@dataclass(frozen=True, slots=True)
class _Draws:
    """A mean, and the same mean in each bootstrap resample (R)."""

    mean: float
    resampled_R: NDArray[np.float64]

    @classmethod
    def of(cls, values: Sequence[float], rng: np.random.Generator) -> _Draws:
        listed = np.asarray(values, dtype=np.float64)
        drawn = listed[rng.integers(0, listed.size, size=(RESAMPLES, listed.size))]
        return cls(float(listed.mean()), drawn.mean(axis=1))

    @classmethod
    def mean_of(cls, parts: Iterable[_Draws]) -> _Draws:
        listed = list(parts)
        stacked = np.stack([part.resampled_R for part in listed])
        return cls(sum(part.mean for part in listed) / len(listed), stacked.mean(axis=0))

    def interval(self) -> Interval:
        low, high = np.quantile(self.resampled_R, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return Interval(self.mean, float(low), float(high))


def _key(one: Scored) -> tuple[str, str, str]:
    return one.task, one.split, one.question


def _each_once(questions: Iterable[Scored]) -> list[Scored]:
    listed = list(questions)
    keys: set[tuple[str, str, str]] = set()
    for one in listed:
        if _key(one) in keys:
            raise ValueError(f"{one.task}, question {one.question}: there twice; put all of its scores into one")
        keys.add(_key(one))
    return listed


def _by(questions: Iterable[Scored], name: str) -> dict[str, list[Scored]]:
    found: dict[str, list[Scored]] = {}
    for one in questions:
        found.setdefault(getattr(one, name), []).append(one)
    return found


def _task_dict(task: TaskMean) -> dict[str, Any]:
    return {
        "score": task.score.as_dict(),
        "splits": {split: found.as_dict() for split, found in task.splits.items()},
        "questions": task.questions,
        "generations": task.generations,
    }


def mapped(scores: Mapping[str, Sequence[float]], *, task: str, split: str = "test") -> list[Scored]:
    """Of question -> scores; questions without any are left out."""
    return [Scored(task, question, tuple(own), split) for question, own in scores.items() if own]
