"""From the store's rows to the document: read a page at a time, graded, summed up, kept in the store and as a file."""

from __future__ import annotations

import importlib.metadata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

from agents.judges import LlmJudge
from evals.behaviour import Limits, Profile, trajectory_of
from evals.bench_frame import machine_text
from evals.cost import cost_of
from evals.items import EvalItem
from evals.report.document import (
    EvaluationDocument,
    EvaluationSettings,
    Generation,
    GraphEntry,
    Question,
    SystemEntry,
    SystemResult,
    TaskEntry,
)
from evals.report.figures import comparison, system_figures
from evals.report.grading import Asked, Graded, Verdict, grade, hits_of, names_of, tokens_of
from evals.suite import Attempt, figures
from karl.evaluations.identity import items_sha256, sha256_of
from karl.evaluations.opening import keep_document
from karl.evaluations.plan import Arm, Evaluation, judge_entry
from karl.evaluations.tasks import AskedTasks
from store import queries
from store.jsonfile import write_json
from store.models import EvalResult
from store.queries import Evaluated
from store.session import Session
from store.types import Role, RolloutRecord, RolloutStatus

FILE_DIGITS = 16  # of the document's hash, in the name of its file


class Reading:
    """One arm's rollouts, graded; its behaviour profile on the way. `names`, `documents`: of the chunks seen so far."""

    def __init__(self, evaluation: Evaluation, arm: Arm, tasks: AskedTasks, verdicts: Mapping[str, Verdict]) -> None:
        self.graded: list[Graded] = []
        self._evaluation, self._arm, self._tasks, self._verdicts = evaluation, arm, tasks, verdicts
        self._names: dict[int, frozenset[str]] = {}
        self._documents: dict[int, int] = {}
        self._gold = {row.id or 0: row.citations for rows in tasks.rows.values() for row in rows}
        self.profile = Profile(document_of=self._documents)
        with evaluation.store.session() as session:
            for page in queries.evaluated_pages(session, evaluation.run_id, arm=arm.name):
                whole = [(one, _whole(session, one.record)) for one in page]
                self._look_up(session, [record for _, record in whole])
                for one, record in whole:
                    self._add(one, record)
        # Rows are stored as they finish.
        order = {asked.place: number for number, asked in enumerate(tasks.asked.values())}
        self.graded.sort(key=lambda one: (order[one.made.asked.place], one.made.attempt))

    def _look_up(self, session: Session, records: Sequence[RolloutRecord]) -> None:
        hits = {hit for record in records for hit in hits_of(record)}
        cited = {chunk for record in records for chunk in record.citations}
        self._documents.update(queries.documents_of_chunks(session, hits - self._documents.keys()))
        found = queries.names_of_chunks(session, (hits | cited) - self._names.keys())
        self._names.update((chunk, names_of(key, page)) for chunk, (key, page) in found.items())

    def _add(self, one: Evaluated, record: RolloutRecord) -> None:
        asked, external = self._tasks.asked[one.task_id], self._arm.system.external
        attempt = int(record.key.rpartition("/")[2])
        answered = grade(record, asked, attempt=attempt, names=self._names, external=external)
        graded = Graded(answered, self._verdicts.get(record.key))
        self.graded.append(graded)
        if external:
            return
        if record.status is RolloutStatus.FAILED:
            self.profile.failed += 1
            return
        correct = None if graded.score is None else graded.score >= self._evaluation.config.threshold
        trajectory = trajectory_of(record, correct=correct, limits=self._limits(asked))
        self.profile.add(trajectory, name=record.key, gold=self._gold[one.task_id])

    def _limits(self, asked: Asked) -> Limits:
        profile = self._arm.system.profile
        return Limits(profile.context_tokens if profile else None, self._arm.graphs[asked.task].steps)


def _whole(session: Session, record: RolloutRecord) -> RolloutRecord:
    """With the attempts that it combined."""
    if record.role is not Role.AGGREGATOR:
        return record
    below = [_whole(session, attempt) for attempt in queries.attempts_under(session, record.key)]
    return replace(record, attempts=below)


def make_document(evaluation: Evaluation, tasks: AskedTasks, verdicts: Mapping[str, Verdict]) -> EvaluationDocument:
    """Of everything that is stored of the evaluation's arms; kept in the store, and as `document_file`."""
    readings = {arm.name: Reading(evaluation, arm, tasks, verdicts) for arm in evaluation.arms}
    graded = {name: reading.graded for name, reading in readings.items()}
    # Every later system with every earlier one; those with the first come first.
    pairs = [
        comparison((later, graded[later]), (earlier, graded[earlier]), threshold=evaluation.config.threshold)
        for earlier, later in combinations(graded, 2)
    ]
    document = EvaluationDocument(
        name=evaluation.run.name,
        sha256=evaluation.sha256,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        karl=importlib.metadata.version("karl-agents"),
        machine=machine_text(),
        settings=_settings(evaluation),
        tasks=tuple(_task_entry(evaluation, name, tasks) for name in tasks.rows),
        systems=tuple(_result(evaluation, arm, readings[arm.name]) for arm in evaluation.arms),
        comparisons=tuple(pair for pair in pairs if pair is not None),
        questions=tuple(_questions(evaluation, tasks, graded)),
        notes=(*_notes(graded), *_unheard(evaluation)),
    )
    keep_document(evaluation.store, evaluation.run, document.sha256, document.model_dump(mode="json"))
    for arm in evaluation.arms:
        _keep_arm(evaluation, arm, tasks)
    file = document_file(evaluation.settings.home, document.sha256)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_json(file, document.model_dump(mode="json"))
    return document


def document_file(home: Path, sha256: str) -> Path:
    return home / "evaluations" / f"{sha256[:FILE_DIGITS]}.json"


def _settings(evaluation: Evaluation) -> EvaluationSettings:
    config = evaluation.config
    return EvaluationSettings(
        suite=config.label,
        samples=config.samples,
        temperature=config.temperature,
        seed=config.seed,
        limit=config.limit,
        threshold=config.threshold,
        judge=judge_entry(evaluation.judge),
        prices=evaluation.prices.models,
    )


def _task_entry(evaluation: Evaluation, name: str, tasks: AskedTasks) -> TaskEntry:
    plan = evaluation.plan(name)
    return TaskEntry(
        name=plan.name,
        title=plan.title,
        regime=plan.regime,
        metric=str(plan.metric),
        corpus=evaluation.corpora[plan.corpus],
        questions=len(plan.items),
        items_sha256=items_sha256(plan.items),
        nuggets_sha256=_nuggets_sha256(plan.items, tasks.items(name)),
        complete=plan.complete,
        notes=(*plan.notes, *tasks.notes(name, by_model=isinstance(evaluation.judge, LlmJudge))),
    )


def _nuggets_sha256(published: Sequence[EvalItem], asked: Sequence[EvalItem]) -> str:
    """Of items whose nuggets were made; empty where there are none."""
    pairs = zip(published, asked, strict=True)
    made = {own.key: [nugget.text for nugget in own.nuggets] for data, own in pairs if not data.nuggets}
    return sha256_of(made) if made else ""


def _result(evaluation: Evaluation, arm: Arm, reading: Reading) -> SystemResult:
    system = arm.system
    graphs = {
        task: GraphEntry(
            name=graph.spec.name,
            sha256=graph.spec.sha256,
            prompt_sha256=graph.prompt_sha256,
            k=graph.k,
            steps=graph.steps,
            hashes=tuple(graph.identity),
        )
        for task, graph in arm.graphs.items()
    }
    return SystemResult(
        entry=SystemEntry(
            name=arm.name,
            kind=system.kind,
            given=system.given,
            model=system.model,
            sha256=system.sha256,
            graphs=graphs,
            url=system.url,
        ),
        figures=system_figures(
            reading.graded,
            tasks=[plan.name for plan in evaluation.plans],
            samples=evaluation.config.samples,
            threshold=evaluation.config.threshold,
            prices=evaluation.prices,
            behaviour=None if system.external else reading.profile.as_dict(),
        ),
    )


def _questions(evaluation: Evaluation, tasks: AskedTasks, graded: Mapping[str, Sequence[Graded]]) -> Sequence[Question]:
    found: dict[tuple[str, str, str], dict[str, list[Graded]]] = defaultdict(lambda: {name: [] for name in graded})
    for name, own in graded.items():
        for one in own:
            found[one.made.asked.place][name].append(one)
    return [
        Question(
            task=asked.task,
            split=asked.item.split,
            kind=asked.item.kind,
            key=asked.item.key,
            question=asked.item.question,
            reference=asked.item.reference,
            nuggets=tuple(nugget.text for nugget in asked.item.nuggets),
            gold=asked.item.gold,
            systems={
                name: tuple(_generation(evaluation, one) for one in sorted(own, key=lambda one: one.made.attempt))
                for name, own in found[asked.place].items()
            },
        )
        for asked in tasks.asked.values()
    ]


def _generation(evaluation: Evaluation, one: Graded) -> Generation:
    made, completion = one.made, one.verdict.completion if one.verdict else None
    read, written = tokens_of(made.uses)
    values: dict[str, Any] = {
        "status": str(made.status),
        **{name: getattr(made, name) for name in ("attempt", "rollout", "answer", "confidence", "citations")},
        **{name: getattr(made, name) for name in ("seconds", "searches", "others")},
        **{name: getattr(one, name) for name in ("score", "half_credit", "reason")},
    }
    return Generation(
        **values,
        labels=completion.labels if completion else (),
        input_tokens=read,
        output_tokens=written,
        usd=None if made.uses is None else cost_of(made.uses, evaluation.prices).usd,
    )


def _notes(graded: Mapping[str, Sequence[Graded]]) -> Sequence[str]:
    """What a reader of the means has to know."""
    notes: list[str] = []
    for name, own in graded.items():
        failed = sum(one.made.status is RolloutStatus.FAILED for one in own)
        unjudged = sum(one.score is None for one in own) - failed
        if failed:
            notes.append(f"{name}: {failed} of {len(own)} generations failed and are left out of every mean")
        if unjudged:
            notes.append(
                f"{name}: {unjudged} of {len(own)} generations could not be judged; the same command asks again"
            )
    return notes


def _unheard(evaluation: Evaluation) -> Sequence[str]:
    """What was asked for and could not be passed on."""
    if evaluation.config.temperature is None:
        return []
    functions = [arm.name for arm in evaluation.arms if arm.system.kind == "callable"]
    return [f"{name}: a function of the question alone; it was not told the temperature" for name in functions]


def _keep_arm(evaluation: Evaluation, arm: Arm, tasks: AskedTasks) -> None:
    """The arm's figures as a run keeps them, for `karl show` and the terminal's screens, where anything is scored."""
    threshold, samples = evaluation.config.threshold, evaluation.config.samples
    kinds = {row.id or 0: row.kind for rows in tasks.rows.values() for row in rows}
    with evaluation.store.session() as session:
        attempts = {
            task: [Attempt(a.reward, a.status, a.search_count, a.sampled_tokens) for a in rows]
            for task, rows in queries.attempts_of_arm(session, evaluation.run_id, arm=arm.name).items()
        }
        if not any(attempt.reward is not None for own in attempts.values() for attempt in own):
            return
        queries.save_eval_result(
            session,
            EvalResult(
                run_id=evaluation.run_id,
                arm=arm.name,
                temperature=1.0 if evaluation.config.temperature is None else evaluation.config.temperature,
                figures=figures(attempts, kinds=kinds, threshold=threshold, k=samples),
            ),
        )
