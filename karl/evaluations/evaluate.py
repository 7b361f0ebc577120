"""`karl eval`, whole: look at everything that can be wrong, run what is missing, judge, make the document."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from agents.structured import JudgeSettings
from evals.prices import PriceTable, load_prices, prices_in
from evals.report.document import EvaluationDocument
from karl.endpoints import check_judge
from karl.evaluations.config import EvalConfig
from karl.evaluations.graphs import task_graph
from karl.evaluations.identity import arm_identity, document_sha256, setup_of
from karl.evaluations.judging import judge_answers
from karl.evaluations.making import make_document
from karl.evaluations.opening import arm_names, open_evaluation
from karl.evaluations.plan import Arm, Evaluation, corpus_entry, judge_entry
from karl.evaluations.rollouts import Rollouts
from karl.evaluations.suite import plan_tasks
from karl.evaluations.systems import check_systems, find_systems
from karl.evaluations.tasks import store_tasks
from karl.judges import open_judge
from karl.progress_record import RecordingReporter
from karl.reporting import Reporter
from karl.runs import note_stopped, own
from karl.settings import Settings
from karl.signals import stop_on_signals
from store.errors import UsageError
from store.session import Store

RULE = "rule"
JUDGE_KEY = "KARL_JUDGE_KEY"


def with_judge(settings: Settings, judge: str | None) -> Settings:
    """`judge`: rule, or URL#model; None: the settings' own. Raises: UsageError."""
    if judge is None:
        return settings
    if judge == RULE:
        return settings.model_copy(update={"judge": None})
    url, _, model = judge.partition("#")
    if not url.startswith(("http://", "https://")) or not model:
        raise UsageError(f"--judge {judge!r}: write `rule`, or http(s)://.../v1#MODEL")
    known = settings.judge.api_key if settings.judge and settings.judge.base_url.rstrip("/") == url.rstrip("/") else ""
    key = os.environ.get(JUDGE_KEY) or known or "none"
    return settings.model_copy(update={"judge": JudgeSettings(base_url=url, model=model, api_key=key)})


def prepare(
    systems: Sequence[str | Callable[..., Any]],
    config: EvalConfig,
    store: Store,
    *,
    settings: Settings,
    reporter: Reporter,
) -> Evaluation:
    """Raises: UsageError or KarlError for whatever can be known to be wrong; nothing has been sampled by then."""
    prices = _prices(config)
    found = find_systems(systems, store, settings=settings)
    if not config.rejudge:
        check_systems(found)
    judge = open_judge(settings)
    if settings.judge is not None:
        check_judge(settings.judge)
    plans = plan_tasks(config, found, store, settings=settings, reporter=reporter)
    graphs = {
        system.name: {
            plan.name: task_graph(
                config.graph, task=plan.spec, variant=system.profile.prompt_variant, settings=settings
            )
            for plan in plans
        }
        if system.profile is not None
        else {}
        for system in found
    }
    corpora = {plan.corpus: corpus_entry(store, plan.corpus) for plan in plans}
    setup = setup_of(config, plans, corpora)
    run = open_evaluation(store, config, plans, found, setup=setup)
    identities = {system.name: arm_identity(system, graphs[system.name]) for system in found}
    names = arm_names(store, run, identities, made=not config.rejudge)
    return Evaluation(
        store=store,
        settings=settings,
        config=config,
        run=run,
        plans=plans,
        corpora=corpora,
        arms=[Arm(names[system.name], system, graphs[system.name]) for system in found],
        judge=judge,
        prices=prices,
        sha256=document_sha256(setup, identities, judge_entry(judge), threshold=config.threshold),
    )


def carry_out(evaluation: Evaluation, *, reporter: Reporter) -> EvaluationDocument | None:
    """None: Ctrl-C stopped it; everything finished is stored, and the same command goes on.

    Raises: UsageError while another process is at it; KarlError where a system or the judge fails on everything.
    """
    made: list[EvaluationDocument] = []
    reporter = RecordingReporter(evaluation.store, evaluation.run_id, reporter)

    async def main() -> None:
        stop = asyncio.Event()
        with stop_on_signals(stop, say=reporter.say, leaving=partial(note_stopped, evaluation.store, evaluation.run)):
            tasks = await store_tasks(evaluation, reporter=reporter, stop=stop)
            if not evaluation.config.rejudge:
                await Rollouts(evaluation, reporter, stop).collect(tasks.rows)
            verdicts = await judge_answers(evaluation, tasks.asked, reporter=reporter, stop=stop)
            made.append(make_document(evaluation, tasks, verdicts))

    finished = own(evaluation.store, evaluation.run, main, home=evaluation.settings.home)
    return made[0] if finished else None


def _prices(config: EvalConfig) -> PriceTable:
    """Raises: UsageError for a file that can't be read."""
    if config.prices is not None:
        return load_prices(config.prices.expanduser())
    return prices_in(Path.cwd())
