"""The held-out evaluation of a run as a sheet: its arms, from the figures that the store keeps of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evals.behaviour import BehaviourClass, PassState, transitions
from evals.report.closed import Estimate
from evals.report.sections.comparisons import said
from evals.report.text import words
from evals.statistics import max_at_k_curve, paired_difference
from karl.control.evaluations.tradeoffs import Measured, spots
from karl.control.evaluations.values import (
    ClassShare,
    Curve,
    FailureLine,
    Interval,
    Pair,
    Point,
    Profile,
    ScoreLine,
    Sheet,
    SystemLine,
    Tradeoff,
)
from store import queries
from store.models import EvalResult
from store.queries import ClassCount, EvaluatedRun, Shortfall
from store.session import Session
from store.types import Algorithm

THRESHOLD = 0.6  # of runs whose settings name none
STATES = tuple(PassState)


def sheet_of_run(session: Session, run: EvaluatedRun, *, pair: tuple[str, str] | None, failures: int) -> Sheet:
    """pair: arms (before, after) that are compared, and whose failures are listed; None: the first policy and the
    newest one that was trained."""
    results = queries.eval_results(session, run.run_id)
    threshold = THRESHOLD if run.threshold is None else run.threshold
    chosen = _chosen(results, pair)
    counts = queries.behaviour_counts(session, run.run_id, threshold=threshold)
    shown = list(dict.fromkeys(result.arm for result in chosen))
    return Sheet(
        facts=(f"Held-out evaluation of run {run.name}: right from a reward of {threshold:g} on.",),
        notes=tuple(_notes(results)),
        systems=tuple(map(_system, results)),
        scores=tuple(_scores(results)),
        pairs=(_pair(*chosen),) if len(shown) > 1 else (),
        published_notes=(
            "A run's own questions are none of KARLBench's: nothing stands beside the published table. "
            "`karl eval RUN --suite karlbench` measures its policies on the six tasks.",
        ),
        published=(),
        tradeoffs=tuple(_tradeoffs(results)),
        curves=tuple(Curve(result.arm, _curve(result.figures)) for result in results),
        profiles=tuple(_profiles(results, counts)),
        failures=tuple(
            _failure(one)
            for arm in shown
            for one in queries.shortfalls(session, run.run_id, arm=arm, threshold=threshold, limit=failures)
        ),
        failed_questions=sum(
            queries.shortfall_total(session, run.run_id, arm=arm, threshold=threshold) for arm in shown
        ),
        reasons=(),
    )


def _chosen(results: Sequence[EvalResult], pair: tuple[str, str] | None) -> Sequence[EvalResult]:
    """(before, after), or as many as there are."""
    by_arm = {result.arm: result for result in results}
    if pair is not None and set(pair) <= by_arm.keys():
        return [by_arm[arm] for arm in pair]
    trained = [arm for arm in by_arm if arm.startswith(f"{Algorithm.OAPL}-") and "@" not in arm]
    newest = trained[-1] if trained else next(reversed(by_arm), None)
    return [by_arm[arm] for arm in dict.fromkeys([next(iter(by_arm), None), newest]) if arm is not None]


def _notes(results: Sequence[EvalResult]) -> Iterator[str]:
    for result in results:
        if result.figures["failed"]:
            yield f"{result.arm}: {result.figures['failed']} rollouts failed and are left out of every mean."


def _interval(figures: Mapping[str, Any], name: str) -> Interval | None:
    return Interval(**figures[name]) if name in figures else None


def _widest(figures: Mapping[str, Any]) -> str:
    return next((name for name in figures if name.startswith("max@")), "max@1")


def _system(result: EvalResult) -> SystemLine:
    figures = result.figures
    widest = _widest(figures)
    attempts = figures["attempts"]
    return SystemLine(
        label=result.arm,
        score=None,
        pass_at_1=_interval(figures, "pass@1"),
        k=int(widest.removeprefix("max@")),
        max_at_k=_interval(figures, widest),
        searches=figures["searches"]["mean"],
        generations=attempts + figures["failed"],
        failed=figures["failed"],
        unfinished=round(figures["unfinished"] * attempts),
        unjudged=None,
        temperature=result.temperature,
    )


def _scores(results: Sequence[EvalResult]) -> Iterator[ScoreLine]:
    if not results:
        return
    every = [result.figures for result in results]
    widest = _widest(every[0])
    for name in ("pass@1", widest):
        yield ScoreLine(name, 0, tuple(_interval(figures, name) for figures in every))
    for kind in dict.fromkeys(kind for figures in every for kind in figures["by_kind"]):
        yield ScoreLine(f"pass@1, {words(kind)}", 1, tuple(figures["by_kind"].get(kind) for figures in every))
    yield ScoreLine("searches", 0, tuple(_interval(figures, "searches") for figures in every))
    yield ScoreLine("sampled tokens", 0, tuple(_interval(figures, "sampled_tokens") for figures in every))
    yield ScoreLine("unfinished, share", 0, tuple(figures["unfinished"] for figures in every))


def _pair(before: EvalResult, after: EvalResult) -> Pair:
    theirs, ours = before.figures["per_question"], after.figures["per_question"]
    shared = [task for task in ours if task in theirs]
    empty = Pair(after.arm, before.arm, "pass@1", None, "", 0, 0, 0, 0, (), tuple(map(str, STATES)), (), "")
    if not shared:
        return empty._replace(why="no question has rates of both")
    moved = transitions(theirs, ours)
    found = paired_difference([ours[task] for task in shared], [theirs[task] for task in shared])
    matrix = moved.matrix()
    return empty._replace(
        difference=Interval(*found),
        verdict=said(Estimate.of(found)),
        wins=sum(ours[task] > theirs[task] for task in shared),
        ties=sum(ours[task] == theirs[task] for task in shared),
        losses=sum(ours[task] < theirs[task] for task in shared),
        unpaired=moved.only_before + moved.only_after,
        matrix=tuple(tuple(matrix[old][new] for new in STATES) for old in STATES),
    )


def _curve(figures: Mapping[str, Any]) -> tuple[Point, ...]:
    """From the rates of the questions, where each has as many scored attempts as the others; else its two ends."""
    widest = _widest(figures)
    samples, questions = int(widest.removeprefix("max@")), figures["questions"]
    if figures["attempts"] != samples * questions:
        ends = [(1, _interval(figures, "pass@1")), (samples, _interval(figures, widest))]
        return tuple(Point(k, found, questions) for k, found in dict(ends).items() if found)
    right = {task: round(rate * samples) for task, rate in figures["per_question"].items()}
    scores = {task: [1.0] * count + [0.0] * (samples - count) for task, count in right.items()}
    ks = sorted({2**power for power in range(samples.bit_length()) if 2**power <= samples} | {samples})
    return tuple(Point(one.k, Interval(*one.score), one.questions) for one in max_at_k_curve(scores, ks=ks))


def _tradeoffs(results: Sequence[EvalResult]) -> Iterator[Tradeoff]:
    """No price and no time is among an arm's figures."""
    for unit, name in (("sampled tokens a rollout", "sampled_tokens"), ("searches a rollout", "searches")):
        measured = [
            Measured(result.arm, score, result.figures[name]["mean"])
            for result in results
            if (score := _interval(result.figures, "pass@1")) and name in result.figures
        ]
        yield Tradeoff("pass@1", unit, spots(measured), "")


def _profiles(results: Sequence[EvalResult], counts: Sequence[ClassCount]) -> Iterator[Profile]:
    """Of arms whose rollouts were classified."""
    for result in results:
        own = {one.behaviour: one for one in counts if one.arm == result.arm}
        total = sum(one.rollouts for one in own.values())
        if total:
            yield Profile(result.arm, total, tuple(_share(kind, own, total) for kind in BehaviourClass), ())


def _share(kind: BehaviourClass, own: Mapping[str, ClassCount], total: int) -> ClassShare:
    found = own.get(str(kind))
    if found is None:
        return ClassShare(words(kind), 0, 0.0, None)
    solved = found.solved / found.judged if found.judged else None
    return ClassShare(words(kind), found.rollouts, found.rollouts / total, solved)


def _failure(one: Shortfall) -> FailureLine:
    reason = one.reason or ("not judged" if one.reward is None else "judged wrong")
    return FailureLine(
        system=one.arm,
        task=words(one.kind),
        key=one.key,
        question=one.question,
        reference=one.reference,
        answer=one.answer,
        status=str(one.status),
        score=one.reward,
        reason=reason,
        wrong=1,
        answers=1,
        rollout=one.key,
    )
