"""What an interface shows of evaluations: frozen values, shares and scores in [0, 1], times in seconds.

A system is one of a document of `karl eval`, or an arm of a run: both fill the same `Sheet`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple


class Interval(NamedTuple):
    """A mean with its 95% bootstrap interval over questions."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class EvaluationLine:
    """One evaluation in a list: a document that is kept as `path`, or a run of the store.

    state: "kept", a run's state, or "unreadable" with the `problem`; date None: not known;
    questions None: its settings name no number.
    """

    name: str
    state: str
    date: datetime | None
    suite: str
    systems: tuple[str, ...]
    questions: int | None
    judge: str
    sha256: str
    path: Path | None = None
    run_id: int | None = None
    problem: str = ""

    @property
    def key(self) -> str:
        return str(self.path) if self.path else f"run {self.run_id}"


class SystemLine(NamedTuple):
    """`score`: over all tasks; of an arm, None. `max_at_k` is of `k` generations. searches: mean a rollout.

    unjudged None: not counted; temperature None: the graph's or endpoint's own.
    """

    label: str
    score: Interval | None
    pass_at_1: Interval | None
    k: int
    max_at_k: Interval | None
    searches: float | None
    generations: int
    failed: int
    unfinished: int
    unjudged: int | None
    temperature: float | None


class ScoreLine(NamedTuple):
    """One measure of all systems, in their order. depth: 1 below the task that it belongs to. None: not defined."""

    title: str
    depth: int
    values: tuple[Interval | float | None, ...]


class Point(NamedTuple):
    """Of max@k. `questions`: those that have k scored generations."""

    k: int
    score: Interval
    questions: int


class Curve(NamedTuple):
    label: str
    points: tuple[Point, ...]


class Spot(NamedTuple):
    """`beaten_by`: systems that are better for no more, or as good for less; none of them: on the front."""

    label: str
    score: Interval
    spent: float
    beaten_by: tuple[str, ...]


class Tradeoff(NamedTuple):
    """Quality against what is spent in `unit`, of systems that had the same questions and judge. `left_out`: why."""

    quality: str
    unit: str
    spots: tuple[Spot, ...]
    left_out: str


class ClassShare(NamedTuple):
    """`solved`: share of right ones among the class's judged rollouts."""

    name: str
    rollouts: int
    share: float
    solved: float | None


class Profile(NamedTuple):
    """How a system searched. `lengths`: what is counted -> mean a rollout."""

    label: str
    rollouts: int
    classes: tuple[ClassShare, ...]
    lengths: tuple[tuple[str, float], ...]


class Pair(NamedTuple):
    """`first` minus `second`, paired by question; a win is the first's. difference None: not compared, and `why`.

    matrix: `states` by the second -> the same by the first, questions in each.
    """

    first: str
    second: str
    measure: str
    difference: Interval | None
    verdict: str
    wins: int
    ties: int
    losses: int
    unpaired: int
    tasks: tuple[tuple[str, Interval], ...]
    states: tuple[str, ...]
    matrix: tuple[tuple[int, ...], ...]
    why: str


class FailureLine(NamedTuple):
    """A question that a system did not answer right, with the answer that says most about it.

    wrong of `answers` generations are no right answers; rollout: key of the trace; score None: `reason` says why.
    """

    system: str
    task: str
    key: str
    question: str
    reference: str
    answer: str
    status: str
    score: float | None
    reason: str
    wrong: int
    answers: int
    rollout: str


class Grid(NamedTuple):
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """Evaluations side by side. `facts`: what was measured; `notes`: what a reader of the figures has to know.

    failures: at most so many a system as were asked for, of `failed_questions`; reasons: each with its count of every
    system; published: what stands beside the paper's table, with `published_notes` on what is not comparable.
    """

    facts: tuple[str, ...]
    notes: tuple[str, ...]
    systems: tuple[SystemLine, ...]
    scores: tuple[ScoreLine, ...]
    pairs: tuple[Pair, ...]
    published_notes: tuple[str, ...]
    published: tuple[Grid, ...]
    tradeoffs: tuple[Tradeoff, ...]
    curves: tuple[Curve, ...]
    profiles: tuple[Profile, ...]
    failures: tuple[FailureLine, ...]
    failed_questions: int
    reasons: tuple[tuple[str, ...], ...]

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(system.label for system in self.systems)
