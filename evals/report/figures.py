"""From graded generations to the figures of one system, and to the comparison of two."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from evals.aggregation import Scored, aggregate, compare
from evals.behaviour import transitions
from evals.cost import Cost, Spender, cost_figures, cost_of
from evals.latency import latency_figures
from evals.prices import PriceTable
from evals.report.behaviour import BehaviourFigures
from evals.report.closed import CurvePoint, Estimate
from evals.report.document import (
    ComparisonEntry,
    ParetoPoint,
    SplitFigures,
    SystemFigures,
    TaskFigures,
)
from evals.report.grading import Graded
from evals.report.spending import CostFigures, LatencyFigures
from evals.statistics import expected_max_at_k, interval, pass_at_k
from store.types import RolloutStatus

Place = tuple[str, str, str]  # task, split, question
REASON_CHARS = 160  # by which failures are told apart


def system_figures(
    graded: Sequence[Graded],
    *,
    tasks: Sequence[str],
    samples: int,
    threshold: float,
    prices: PriceTable,
    behaviour: dict[str, Any] | None,
) -> SystemFigures:
    """`behaviour`: what `Profile.as_dict` gave; None: an external system."""
    by_task: dict[str, list[Graded]] = {task: [] for task in tasks}
    for one in graded:
        by_task[one.made.asked.task].append(one)
    own = {task: _task_figures(found, samples=samples, threshold=threshold) for task, found in by_task.items()}
    scored = scored_questions(graded)
    whole = aggregate(scored).score if scored and all(figures.score for figures in own.values()) else None
    cost, latency = _cost(graded, prices), _latency(graded)
    return SystemFigures(
        score=Estimate.of(whole) if whole else None,
        tasks=own,
        curve=_curve(graded, samples=samples),
        cost=cost,
        judging=_judging(graded, prices),
        latency=latency,
        behaviour=BehaviourFigures.model_validate(behaviour) if behaviour is not None else None,
        failures=_failures(graded),
        pareto=_pareto(whole.mean if whole else None, cost, latency),
    )


def scored_questions(graded: Iterable[Graded]) -> list[Scored]:
    return [Scored(task, key, tuple(own), split) for (task, split, key), own in _scores(graded).items()]


def comparison(
    first: tuple[str, Sequence[Graded]], second: tuple[str, Sequence[Graded]], *, threshold: float
) -> ComparisonEntry | None:
    """None: no question has scores of both."""
    (ours, mine), (theirs, others) = first, second
    left, right = scored_questions(mine), scored_questions(others)
    if not {(one.task, one.split, one.question) for one in left} & {(o.task, o.split, o.question) for o in right}:
        return None
    found = compare(left, right)
    moved = transitions(_pass_rates(others, threshold), _pass_rates(mine, threshold)).as_dict()
    return ComparisonEntry(
        first=ours,
        second=theirs,
        difference=Estimate.of(found.difference.score),
        tasks={task: Estimate.of(mean.score) for task, mean in found.difference.tasks.items()},
        wins=found.wins,
        ties=found.ties,
        losses=found.losses,
        unpaired=found.unpaired,
        transitions=moved["matrix"],
    )


def _task_figures(graded: Sequence[Graded], *, samples: int, threshold: float) -> TaskFigures:
    scores = _scores(graded)
    scored, statuses = scored_questions(graded), Counter(one.made.status for one in graded)
    mean = aggregate(scored) if scored else None
    done = sum(map(len, scores.values()))
    others = _others(graded)
    right = {place: [float(score >= threshold) for score in own] for place, own in scores.items()}
    return TaskFigures(
        questions=len(scores),
        generations=len(graded),
        scored=done,
        failed=statuses[RolloutStatus.FAILED],
        unjudged=len(graded) - done - statuses[RolloutStatus.FAILED],
        unfinished=statuses[RolloutStatus.UNFINISHED],
        score=Estimate.of(mean.score) if mean else None,
        half_credit=_split_mean(_scores(graded, lambda one: one.half_credit)),
        pass_at_1=_split_mean(right),
        splits={split: _split_figures(split, scores, right) for split in dict.fromkeys(key[1] for key in scores)},
        curve=_curve(graded, samples=samples),
        passes=_passes(right, samples=samples),
        others={name: mean for name, own in others.items() if (mean := _split_mean(own))},
        others_questions={name: len(own) for name, own in others.items()},
    )


def _split_figures(
    split: str, scores: Mapping[Place, Sequence[float]], right: Mapping[Place, Sequence[float]]
) -> SplitFigures:
    own, passed = (
        [sum(values) / len(values) for place, values in found.items() if place[1] == split] for found in (scores, right)
    )
    return SplitFigures(questions=len(own), score=Estimate.of(interval(own)), pass_at_1=Estimate.of(interval(passed)))


def _scores(
    graded: Iterable[Graded], value: Callable[[Graded], float | None] = lambda one: one.score
) -> dict[Place, list[float]]:
    """Of questions with at least one."""
    found: dict[Place, list[float]] = defaultdict(list)
    for one in graded:
        score = value(one)
        if score is not None:
            found[one.made.asked.place].append(score)
    return dict(found)


def _split_mean(scores: Mapping[Place, Sequence[float]]) -> Estimate | None:
    """As the score is averaged: questions, then splits."""
    scored = [Scored(task, key, tuple(own), split) for (task, split, key), own in scores.items()]
    return Estimate.of(aggregate(scored).score) if scored else None


def _pass_rates(graded: Iterable[Graded], threshold: float) -> dict[str, float]:
    found = _scores(graded)
    return {"/".join(place): sum(s >= threshold for s in own) / len(own) for place, own in found.items()}


def _curve(graded: Iterable[Graded], *, samples: int) -> tuple[CurvePoint, ...]:
    """At the powers of two and at the end; averaged as the score is, so that max@1 is the score.

    A k for which a task or split has no question with so many scores is left out: it would be a mean of other things.
    """
    ks = sorted({2**power for power in range(samples.bit_length()) if 2**power <= samples} | {samples})
    scores = _scores(graded)
    return tuple(point for k in ks if (point := _best_of(scores, k)) is not None)


def _best_of(scores: Mapping[Place, Sequence[float]], k: int) -> CurvePoint | None:
    best = [
        Scored(task, key, (expected_max_at_k(own, k=k),), split)
        for (task, split, key), own in scores.items()
        if len(own) >= k
    ]
    if not best or {(one.task, one.split) for one in best} != {place[:2] for place in scores}:
        return None
    return CurvePoint(k=k, score=Estimate.of(aggregate(best).score), questions=len(best))


def _passes(right: Mapping[Place, Sequence[float]], *, samples: int) -> tuple[CurvePoint, ...]:
    """Where max@k is given, and averaged as the score is; over questions with k scored generations."""
    points: list[CurvePoint] = []
    for k in sorted({2**power for power in range(samples.bit_length()) if 2**power <= samples} | {samples}):
        enough = {place: own for place, own in right.items() if len(own) >= k}
        rates = {place: [pass_at_k(int(sum(own)), samples=len(own), k=k)] for place, own in enough.items()}
        mean = _split_mean(rates)
        points += [CurvePoint(k=k, score=mean, questions=len(rates))] if mean else []
    return tuple(points)


def _others(graded: Iterable[Graded]) -> dict[str, dict[Place, list[float]]]:
    """Name of a score by rule -> its values where it is defined."""
    values: dict[str, dict[Place, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in graded:
        for name, value in one.made.others.items():
            values[name][one.made.asked.place].append(value)
    return dict(sorted(values.items()))


def _failures(graded: Iterable[Graded]) -> dict[str, int]:
    """Most frequent first."""
    bad = (one for one in graded if one.score is None or one.made.status is RolloutStatus.UNFINISHED)
    return dict(Counter(" ".join(one.reason.split())[:REASON_CHARS] for one in bad).most_common())


def _cost(graded: Iterable[Graded], prices: PriceTable) -> CostFigures:
    """Of all generations, failed ones too: they were paid for."""
    by_question: dict[str, list[Cost]] = defaultdict(list)
    uncounted = False
    for one in graded:
        uses = one.made.uses
        uncounted = uncounted or uses is None
        unknown = Cost(None, {Spender.POLICY: None}, (), (one.made.model,))
        by_question["/".join(one.made.asked.place)].append(unknown if uses is None else cost_of(uses, prices))
    figures = cost_figures(by_question)
    if uncounted:
        # The mean of those that were counted would pass for the mean of all.
        figures["tokens_per_query"] = {str(Spender.POLICY): dict.fromkeys(("input", "cached_input", "output"))}
        figures["unpriced"] = [model for model in figures["unpriced"] if model not in prices.models]
    return CostFigures.model_validate(figures)


def _judging(graded: Iterable[Graded], prices: PriceTable) -> CostFigures:
    by_question: dict[str, list[Cost]] = defaultdict(list)
    for one in graded:
        if one.verdict is not None and one.verdict.use is not None:
            by_question["/".join(one.made.asked.place)].append(cost_of([one.verdict.use], prices))
    return CostFigures.model_validate(cost_figures(by_question))


def _latency(graded: Iterable[Graded]) -> LatencyFigures:
    by_question: dict[str, list[Any]] = defaultdict(list)
    for one in graded:
        if one.made.first is not None:
            by_question["/".join(one.made.asked.place)].append(one.made.first)
    return LatencyFigures.model_validate(latency_figures(by_question))


def _pareto(score: float | None, cost: CostFigures, latency: LatencyFigures) -> ParetoPoint:
    tokens, times = cost.tokens_per_query.get(str(Spender.POLICY)), latency.seconds["ttfat"]
    counted = tokens is not None and tokens.input is not None and tokens.output is not None
    return ParetoPoint(
        score=score,
        usd_per_query=cost.usd_per_query.mean if cost.usd_per_query else None,
        tokens_per_query=(tokens.input or 0.0) + (tokens.output or 0.0) if counted and tokens else None,
        seconds_p50=times.p50 if times else None,
        seconds_mean=times.mean if times else None,
    )
