"""The held-out evaluation of a run as a sheet: its arms, from the figures that the store keeps of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from evals.behaviour import BehaviourClass, PassState, transitions
from evals.report.closed import Estimate
from evals.report.sections.comparisons import said
from evals.report.text import words
from evals.statistics import paired_difference
from karl.control.evaluations.arm_figures import Arm
from karl.control.evaluations.tradeoffs import Measured, spots
from karl.control.evaluations.values import (
    ClassShare,
    Curve,
    FailureLine,
    Interval,
    Pair,
    Profile,
    ScoreLine,
    Sheet,
    SystemLine,
    Tradeoff,
)
from store import queries
from store.queries import ClassCount, EvaluatedRun, Shortfall
from store.session import Session
from store.types import Algorithm

THRESHOLD = 0.6  # of runs whose settings name none
STATES = tuple(PassState)
UNPUBLISHED = (
    "A run's own questions are none of KARLBench's: nothing stands beside the published table. `karl eval RUN --suite "
    "karlbench` measures its policies on the six tasks."
)


def sheet_of_run(session: Session, run: EvaluatedRun, *, pair: tuple[str, str] | None, listed: int) -> Sheet:
    """pair: arms (before, after) that are compared, and whose failures are listed, `listed` of each at most; None: the
    first policy and the newest one that was trained."""
    arms = [Arm(result) for result in queries.eval_results(session, run.run_id)]
    threshold = THRESHOLD if run.threshold is None else run.threshold
    chosen = _chosen(arms, pair)
    counts = queries.behaviour_counts(session, run.run_id, threshold=threshold)
    names = [arm.name for arm in chosen]
    return Sheet(
        facts=(f"Held-out evaluation of run {run.name}: right from a reward of {threshold:g} on.",),
        notes=tuple(
            f"{arm.name}: {arm.stored.failed} rollouts failed and are left out of every mean."
            for arm in arms
            if arm.stored.failed
        ),
        systems=tuple(map(_system, arms)),
        scores=tuple(_scores(arms)) if arms else (),
        pairs=(_pair(*chosen),) if len(chosen) > 1 else (),
        published_notes=(UNPUBLISHED,),
        published=(),
        tradeoffs=tuple(_tradeoffs(arms)) if arms else (),
        curves=tuple(Curve(arm.name, points) for arm in arms if (points := arm.curve())),
        profiles=tuple(_profiles(arms, counts)),
        failures=tuple(
            _failure(one)
            for name in names
            for one in queries.shortfalls(session, run.run_id, arm=name, threshold=threshold, limit=listed)
        ),
        failed_questions=sum(
            queries.shortfall_total(session, run.run_id, arm=name, threshold=threshold) for name in names
        ),
        reasons=(),
    )


def _chosen(arms: Sequence[Arm], pair: tuple[str, str] | None) -> list[Arm]:
    """[before, after], or as many as there are."""
    by_name = {arm.name: arm for arm in arms}
    if pair is not None and set(pair) <= by_name.keys():
        return [by_name[name] for name in pair]
    trained = [arm for arm in arms if arm.name.startswith(f"{Algorithm.OAPL}-") and "@" not in arm.name]
    return list(dict.fromkeys([*arms[:1], *(trained or arms)[-1:]]))


def _system(arm: Arm) -> SystemLine:
    stored, searches = arm.stored, arm.mean("searches")
    return SystemLine(
        label=arm.name,
        score=None,
        pass_at_1=arm.mean("pass@1"),
        k=arm.k,
        max_at_k=arm.best,
        searches=searches.mean if searches else None,
        generations=stored.attempts + stored.failed,
        failed=stored.failed,
        unfinished=round(stored.unfinished * stored.attempts),
        unjudged=None,
        temperature=arm.temperature,
    )


def _scores(arms: Sequence[Arm]) -> Iterator[ScoreLine]:
    yield ScoreLine("pass@1", 0, tuple(arm.mean("pass@1") for arm in arms))
    for kind in dict.fromkeys(kind for arm in arms for kind in arm.stored.by_kind):
        yield ScoreLine(words(kind), 1, tuple(arm.stored.by_kind.get(kind) for arm in arms))
    for k in sorted({arm.k for arm in arms if arm.k > 1}):
        yield ScoreLine(f"max@{k}", 0, tuple(arm.mean(f"max@{k}") for arm in arms))
    yield ScoreLine("searches", 0, tuple(arm.mean("searches") for arm in arms))
    yield ScoreLine("sampled tokens", 0, tuple(arm.mean("sampled_tokens") for arm in arms))
    yield ScoreLine("unfinished, share", 0, tuple(arm.stored.unfinished for arm in arms))


def _pair(before: Arm, after: Arm) -> Pair:
    theirs, ours = before.stored.per_question, after.stored.per_question
    shared = [task for task in ours if task in theirs]
    empty = Pair(after.name, before.name, "pass@1", None, "", 0, 0, 0, 0, (), tuple(map(str, STATES)), (), "")
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


def _tradeoffs(arms: Sequence[Arm]) -> Iterator[Tradeoff]:
    """No price and no time is among an arm's figures."""
    for unit, name in (("sampled tokens a rollout", "sampled_tokens"), ("searches a rollout", "searches")):
        measured = [
            Measured(arm.name, score, spent.mean)
            for arm in arms
            if (score := arm.mean("pass@1")) and (spent := arm.mean(name))
        ]
        yield Tradeoff("pass@1", unit, spots(measured), "" if measured else "nothing was counted")


def _profiles(arms: Sequence[Arm], counts: Sequence[ClassCount]) -> Iterator[Profile]:
    """Of arms whose rollouts were classified."""
    for arm in arms:
        own = {one.behaviour: one for one in counts if one.arm == arm.name}
        total = sum(one.rollouts for one in own.values())
        if total:
            yield Profile(arm.name, total, tuple(_share(kind, own, total) for kind in BehaviourClass), ())


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
