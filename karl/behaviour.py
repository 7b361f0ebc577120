"""Behaviour of a run's evaluation rollouts, arm by arm: read from the store page by page, classified, summed up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from evals.behaviour import Limits, Profile, classify, trajectory_of, transitions
from graphs.iteration import graph_of
from graphs.library import Library
from graphs.schema import StepBudget
from karl.evaluations.external import GRAPH as EXTERNAL
from karl.policies import profile_of
from karl.run_config import RunConfig, make_config
from karl.settings import Settings
from store import queries
from store.errors import UsageError
from store.queries import Evaluated
from store.session import Store
from store.types import RolloutRecord, RolloutStatus


class RunLimits(NamedTuple):
    """`notes`: what could not be found out, and what follows from that."""

    limits: Limits
    graph_sha256: str
    notes: list[str]


class ArmBehaviour(NamedTuple):
    """rates: question -> share of its judged rollouts that are right; other_graphs: rollouts of another version;
    unseen: those of a system that answers by itself, and shows no steps.
    """

    profile: Profile
    rates: dict[str, float]
    other_graphs: int
    unseen: int


def run_behaviour(
    store: Store,
    run: str,
    *,
    settings: Settings,
    arms: Sequence[str] = (),
    context_tokens: int | None = None,
    steps: int | None = None,
    examples: int = 3,
) -> dict[str, Any]:
    """JSON-ready. `context_tokens` and `steps` say what the run's checkpoint and graph can't, or overrule them.

    Transitions are those from the first arm to each of the others. Raises: UsageError for an unknown run or arm.
    """
    with store.session() as session:
        row = queries.run_by_name(session, run)
        chosen = _chosen(queries.evaluation_arms(session, row.id or 0), arms, run=run)
    config = make_config(row.settings)
    found = run_limits(config, settings=settings)
    limits = Limits(context_tokens or found.limits.context_tokens, steps or found.limits.steps)
    read = {
        arm: _arm(store, row.id or 0, arm, config=config, limits=limits, sha256=found.graph_sha256, examples=examples)
        for arm in chosen
    }
    first = read[chosen[0]].rates
    return {
        "run": run,
        "limits": {"context_tokens": limits.context_tokens, "steps": limits.steps},
        "notes": [*found.notes, *_notes(read, limits, known_graph=bool(found.graph_sha256) and steps is None)],
        "arms": {arm: _figures(seen) for arm, seen in read.items()},
        "transitions": {
            f"{chosen[0]} > {arm}": transitions(first, seen.rates).as_dict()
            for arm, seen in read.items()
            if arm != chosen[0]
        },
    }


def run_limits(config: RunConfig, *, settings: Settings) -> RunLimits:
    """Of the policy that the run started from and the graph that evaluates, as they are now."""
    if settings.engine != "chat" and not config.base.is_dir():
        # A profile is read with defaults: its window would be one that nobody stated.
        return RunLimits(Limits(), "", [f"the run's policy {config.base} is gone, and with it what its window was"])
    profile = profile_of(config.base, settings=settings)
    try:
        places = {"graph_path": settings.graph_path, "prompt_path": settings.prompt_path}
        library = Library(tasks=config.tasks, **places)
        iteration = library.get("iteration", variant=profile.prompt_variant).spec
        spec = library.get(graph_of(iteration, "evaluate"), variant=profile.prompt_variant).spec
    except UsageError as exc:
        return RunLimits(Limits(profile.context_tokens), "", [f"the run's graph can't be read: {exc}"])
    budget = spec.plugin(StepBudget)
    return RunLimits(Limits(profile.context_tokens, budget.steps if budget else None), spec.sha256, [])


def behaviour_of(record: RolloutRecord, reward: float | None, *, threshold: float, limits: Limits) -> str:
    """The class of a judged rollout, as its row keeps it; "" for one that failed or that nobody judged."""
    if reward is None or record.status is RolloutStatus.FAILED:
        return ""
    return str(classify(trajectory_of(record, correct=reward >= threshold, limits=limits)).kind)


def _chosen(known: Sequence[str], wanted: Sequence[str], *, run: str) -> list[str]:
    if not known:
        raise UsageError(f"run {run!r} has no evaluation rollouts yet; `karl show {run}` says how far it is")
    for arm in wanted:
        if arm not in known:
            raise UsageError(f"run {run!r} has no arm {arm!r}; {queries.alternatives(arm, known)}")
    return list(dict.fromkeys(wanted)) or list(known)


def _arm(
    store: Store, run_id: int, arm: str, *, config: RunConfig, limits: Limits, sha256: str, examples: int
) -> ArmBehaviour:
    documents: dict[int, int] = {}
    profile = Profile(document_of=documents, examples=examples)
    verdicts: dict[str, list[bool]] = {}
    others = unseen = 0
    with store.session() as session:
        for page in queries.evaluated_pages(session, run_id, arm=arm):
            gold = queries.cited_by_tasks(session, (one.task_id for one in page))
            hits = {hit for one in page for step in one.record.steps for hit in step.hits}
            documents.update(queries.documents_of_chunks(session, hits - documents.keys()))
            inside = [not _by_itself(one.record) for one in page]
            unseen += inside.count(False)
            others += sum(
                seen and one.record.provenance.graph_sha256 != sha256 for seen, one in zip(inside, page, strict=True)
            )
            for one in page:
                _add(profile, verdicts, one, gold=gold.get(one.task_id, ()), config=config, limits=limits)
    return ArmBehaviour(profile, {question: sum(own) / len(own) for question, own in verdicts.items()}, others, unseen)


def _add(
    profile: Profile,
    verdicts: dict[str, list[bool]],
    one: Evaluated,
    *,
    gold: Sequence[int],
    config: RunConfig,
    limits: Limits,
) -> None:
    if one.record.status is RolloutStatus.FAILED:
        profile.failed += 1
        return
    correct = None if one.reward is None else one.reward >= config.reward_threshold
    if not _by_itself(one.record):
        profile.add(trajectory_of(one.record, correct=correct, limits=limits), name=one.record.key, gold=gold)
    if correct is not None:
        verdicts.setdefault(one.record.question, []).append(correct)


def _by_itself(record: RolloutRecord) -> bool:
    return record.provenance.graph == EXTERNAL


def _figures(seen: ArmBehaviour) -> dict[str, Any]:
    pass_rate = sum(seen.rates.values()) / len(seen.rates) if seen.rates else None
    return {"pass@1": None if pass_rate is None else round(pass_rate, 4), **seen.profile.as_dict()}


def _notes(read: Mapping[str, ArmBehaviour], limits: Limits, *, known_graph: bool) -> list[str]:
    """`known_graph`: the step budget was read from the graph as it is now."""
    others = {arm: seen.other_graphs for arm, seen in read.items() if known_graph and seen.other_graphs}
    notes = [
        f"{count} rollouts of '{arm}' ran another version of the graph: their step budget may be another (--steps)"
        for arm, count in others.items()
    ]
    notes += [
        f"'{arm}' answers by itself: {seen.unseen} rollouts whose steps nobody saw are in its pass@1 alone"
        for arm, seen in read.items()
        if seen.unseen
    ]
    if limits.context_tokens is None and limits.steps is None:
        notes.append("no limit is known, so no rollout counts as giving up early; give --context-tokens or --steps")
    return notes
