"""Figures of arms over the questions of all seeds: pass@1, max@k for every k, searches; pairs on the same questions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from evals.statistics import Interval, interval, paired_difference, pass_at_k
from store import queries
from store.models import Run
from store.session import Store
from store.types import Fate, RolloutStatus


class Tries(NamedTuple):
    """The scored attempts of one arm at one question."""

    kind: str
    samples: int
    correct: int
    searches: float
    tokens: float
    unfinished: float

    def at(self, k: int) -> float:
        """The unbiased chance that one of k is correct; of all there are where fewer than k were scored."""
        return pass_at_k(self.correct, samples=self.samples, k=min(k, self.samples))


# Question -> attempts. The questions of several seeds stand side by side: their keys hold the seed.
Answers = dict[str, Tries]
Figure = Callable[[Tries], float]


def read_answers(store: Store, run: Run, arm: str, *, seed: int, threshold: float) -> Answers:
    """Every held-out question that the arm was scored on."""
    assert run.id is not None
    with store.session() as session:
        attempts = queries.attempts_of_arm(session, run.id, arm=arm)
        tasks = {task.id: task for task in queries.tasks_by_fate(session, run.id, fates=Fate.HELD_OUT)}
    found: Answers = {}
    for task_id, rows in attempts.items():
        scored = [row for row in rows if row.reward is not None]
        if scored:
            found[f"{seed}/{task_id}"] = Tries(
                kind=tasks[task_id].kind,
                samples=len(scored),
                correct=sum(row.reward >= threshold for row in scored),
                searches=sum(row.search_count for row in scored) / len(scored),
                tokens=sum(row.sampled_tokens for row in scored) / len(scored),
                unfinished=sum(row.status is RolloutStatus.UNFINISHED for row in scored) / len(scored),
            )
    return found


def of_kinds(answers: Answers, kinds: Sequence[str], *, other: bool = False) -> Answers:
    """The questions of these kinds, or of all `other` ones."""
    return {key: tries for key, tries in answers.items() if (tries.kind in kinds) is not other}


def arm_figures(answers: Answers, *, samples: int) -> dict[str, Any]:
    """Each a mean over questions with its bootstrap interval; `max@k` holds the whole curve."""
    figures: dict[str, Figure] = {"pass@1": lambda tries: tries.at(1)}
    figures |= {f"max@{k}": at(k) for k in sorted({min(8, samples), samples}) if k > 1}
    figures["searches"] = lambda tries: tries.searches
    figures["sampled_tokens"] = lambda tries: tries.tokens
    figures["unfinished"] = lambda tries: tries.unfinished
    rows = list(answers.values())
    return {
        "questions": len(rows),
        **{name: interval([figure(row) for row in rows]).as_dict() for name, figure in figures.items()},
        "max@k": {str(k): interval([row.at(k) for row in rows]).as_dict() for k in range(1, samples + 1)},
    }


def at(k: int) -> Figure:
    return lambda tries: tries.at(k)


def difference(ours: Answers, theirs: Answers, figure: Figure) -> Interval:
    """Of the means over the questions that both were scored on, with its paired bootstrap interval."""
    shared = [key for key in ours if key in theirs]
    return paired_difference([figure(ours[key]) for key in shared], [figure(theirs[key]) for key in shared])


def by_seed(ours: Answers, theirs: Answers, figure: Figure) -> dict[str, float]:
    """Seed -> difference of the means. A training is drawn once a seed, which intervals over questions don't show."""
    shared = [key for key in ours if key in theirs]
    seeds = sorted({key.split("/")[0] for key in shared}, key=lambda seed: (len(seed), seed))
    found: dict[str, float] = {}
    for seed in seeds:
        gaps = [figure(ours[key]) - figure(theirs[key]) for key in shared if key.split("/")[0] == seed]
        found[seed] = round(sum(gaps) / len(gaps), 4)
    return found


def pair_figures(ours: Answers, theirs: Answers, *, samples: int) -> dict[str, Any]:
    figures: Mapping[str, Figure] = {
        "pass@1": at(1),
        f"max@{samples}": at(samples),
        "searches": lambda tries: tries.searches,
    }
    return {
        name: difference(ours, theirs, figure).as_dict() | {"by_seed": by_seed(ours, theirs, figure)}
        for name, figure in figures.items()
    } | {"max@k": {str(k): difference(ours, theirs, at(k)).as_dict() for k in range(1, samples + 1)}}


def pass_rate(answers: Answers) -> float:
    """Raises: ZeroDivisionError where there are none."""
    return round(sum(row.at(1) for row in answers.values()) / len(answers), 4)
