"""Fill an empty store by a plan: corpus, runs, questions, rollouts, curves, evaluations."""

from __future__ import annotations

import math
import random
from typing import Any, NamedTuple

from evals.suite import Attempt, figures
from karl.benches.big_store.plan import GROUP, Plan, RunPlan
from karl.benches.big_store.rows import RolloutRows, Row, words
from karl.reporting import Progress
from store import queries
from store.errors import UsageError
from store.models import Chunk, Corpus, Document, EvalResult, Iteration, Judgement, Rollout, Segment, Step, Task
from store.queries.common import bulk_insert, slices
from store.session import Session, Store
from store.types import Fate, RunState, Stage

TOGETHER = 500  # rollouts a transaction
CURVES = ("loss", "logratio_winners", "logratio_losers", "grad_norm", "kl_forward", "kl_reverse", "reward_estimate")
FATES = (Fate.KEPT, Fate.ALL_WRONG, Fate.ALL_CORRECT, Fate.INVALID)
ARMS = ("", "", "base", "oapl-1")  # of the groups, in turns: two train, two evaluate


class Filled(NamedTuple):
    """run name -> id, and the rows that there are."""

    runs: dict[str, int]
    rollouts: int
    steps: int


def fill_store(store: Store, plan: Plan, *, progress: Progress) -> Filled:
    """`progress` advances by rollouts. Raises: UsageError for a store that has runs already."""
    with store.session() as session:
        if queries.runs(session):
            raise UsageError(f"{store.shown}: has runs already; give another --home")
        corpus_id = _add_corpus(session, plan)
    rows = RolloutRows(random.Random(plan.seed), steps=plan.steps, tokens=plan.tokens, chunks=range(1, plan.chunks + 1))
    runs: dict[str, int] = {}
    first = 1
    for run in plan.runs:
        with store.session() as session:
            runs[run.name] = _add_run(session, run, corpus_id)
        _add_rollouts(store, run, runs[run.name], rows, first=first, corpus_id=corpus_id, progress=progress)
        with store.session() as session:
            _add_curves(session, run, runs[run.name], seed=plan.seed)
            _add_results(session, runs[run.name])
            queries.set_run_state(session, runs[run.name], state=run.state, error=_error(run))
        first += run.rollouts
    return Filled(runs, plan.rollouts, plan.rollouts * plan.steps)


def _add_corpus(session: Session, plan: Plan) -> int:
    corpus = Corpus(name="big", source="made-up")
    session.add(corpus)
    session.flush()
    document = Document(corpus_id=corpus.id or 0, path="notes.md", sha256="0" * 64, kind="markdown")
    document.chunk_count = plan.chunks
    session.add(document)
    session.flush()
    rng = random.Random(plan.seed)
    rows = [
        {
            "corpus_id": corpus.id,
            "document_id": document.id,
            "key": f"notes.md#{n}",
            "ordinal": n,
            "title": f"Note {n}",
            "page": None,
            "text": words(rng, 120),
            "sha256": "0" * 64,
        }
        for n in range(plan.chunks)
    ]
    bulk_insert(session, Chunk, rows=rows)
    return corpus.id or 0


def _add_run(session: Session, run: RunPlan, corpus_id: int) -> int:
    settings = {"corpus": "big", "iterations": run.iterations}
    run_id = queries.create_run(session, name=run.name, corpus_id=corpus_id, settings=settings).id or 0
    for number in range(1, run.iterations + 1):
        last = run.state is RunState.DONE or number < run.iterations
        seconds = {str(stage): 60.0 for stage in Stage}
        stage = Stage.EVALUATE if last else Stage.SOLVE
        session.add(Iteration(run_id=run_id, number=number, stage=stage, done=last, seconds=seconds))
    return run_id


def _add_rollouts(
    store: Store, run: RunPlan, run_id: int, rows: RolloutRows, *, first: int, corpus_id: int, progress: Progress
) -> None:
    places = enumerate(range(first, first + run.rollouts))
    for part in slices(places, size=TOGETHER // GROUP * GROUP):
        with store.session() as session:
            tasks = _tasks(run, run_id, rows, [index for index, _ in part if index % GROUP == 0], corpus_id)
            asked = list(zip(queries.save_tasks(session, tasks), tasks, strict=True))
            made = [
                rows.rollout(
                    rollout_id,
                    key=f"{run.name}/solve/{index}",
                    run_id=run_id,
                    iteration=task.iteration,
                    task_id=task_id,
                    question=task.question,
                    arm=ARMS[index // GROUP % len(ARMS)],
                    attempt=index % GROUP,
                )
                for index, rollout_id in part
                for task_id, task in [asked[(index - part[0][0]) // GROUP]]
            ]
            _add_parts(session, rows, made)
        progress.advance(len(part))


def _add_parts(session: Session, rows: RolloutRows, made: list[Row]) -> None:
    bulk_insert(session, Rollout, rows=made)
    bulk_insert(session, Step, rows=[step for row in made for step in rows.steps(row["id"])])
    bulk_insert(session, Segment, rows=[rows.segment(row["id"]) for row in made])
    bulk_insert(session, Judgement, rows=[rows.judgement(row) for row in made if row["reward"] is not None])


def _tasks(run: RunPlan, run_id: int, rows: RolloutRows, indices: list[int], corpus_id: int) -> list[Task]:
    """One a group; the fates in turns, those of evaluations held out."""
    return [
        Task(
            key=f"{run.name}/task/{index}",
            run_id=run_id,
            iteration=1 + index * run.iterations // max(run.rollouts, 1),
            corpus_id=corpus_id,
            kind="made-up",
            question=f"{rows.words(12)}?",
            answer=rows.words(3),
            nuggets=[rows.words(3)],
            citations=[1 + index % 100],
            fate=Fate.HELD_OUT if ARMS[index // GROUP % len(ARMS)] else FATES[index // GROUP % len(FATES)],
            pass_rate=0.5,
        )
        for index in indices
    ]


def _add_curves(session: Session, run: RunPlan, run_id: int, *, seed: int) -> None:
    for number in range(1, run.iterations + 1):
        rng = random.Random(f"{seed}:{run.name}:{number}")
        points = [
            (step, name, math.exp(-step / 500) + 0.1 * rng.random())
            for step in range(run.training_steps)
            for name in CURVES
        ]
        queries.add_metrics(session, run_id, iteration=number, series=f"oapl-{number}", points=points)


def _add_results(session: Session, run_id: int) -> None:
    for iteration, arm in enumerate(("base", "oapl-1")):
        attempts = {
            task: [Attempt(a.reward, a.status, a.search_count, a.sampled_tokens) for a in tries]
            for task, tries in queries.attempts_of_arm(session, run_id, arm=arm).items()
        }
        if attempts:
            measured: dict[str, Any] = figures(attempts, kinds={}, threshold=0.6, k=GROUP)
            queries.save_eval_result(session, EvalResult(run_id=run_id, arm=arm, iteration=iteration, figures=measured))


def _error(run: RunPlan) -> str | None:
    return "made-up: the disk is full" if run.state is RunState.FAILED else None
