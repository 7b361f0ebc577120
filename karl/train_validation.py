"""`karl train --validate`: questions of a dataset that are held out of its training, and the context to ask them in."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from karl.context import Context, id_of
from karl.endpoints import check_judge
from karl.epochs import drawn
from karl.judges import open_judge
from karl.reporting import Reporter
from karl.run_config import make_config
from karl.runs import open_context
from karl.settings import Settings
from store import queries
from store.errors import UsageError
from store.models import Dataset, Task
from store.session import Session, Store

if TYPE_CHECKING:
    from karl.train_plan import TrainPlan

# Of the run's settings, what its solver and its rewards go by; the others have no part in a training.
TAKEN = ("tasks", "reward_threshold")


@dataclass(frozen=True, slots=True)
class Validation:
    """`tasks` are left out of the dataset with all their rollouts; `samples`: rollouts of each after every epoch."""

    tasks: tuple[Task, ...]
    samples: int

    @property
    def task_ids(self) -> tuple[int, ...]:
        return tuple(id_of(task) for task in self.tasks)

    def described(self) -> dict[str, Any]:
        return {"questions": [task.key for task in self.tasks], "samples": self.samples}


def draw_validation(session: Session, dataset: Dataset, *, questions: int, samples: int, seed: int) -> Validation:
    """Drawn by the seed, as a run draws its own; never more than half. Questions that all rollouts of the dataset
    solved, or none, stay in it: they tell two policies apart no better than they teach one.

    Raises: UsageError for a dataset that is too small.
    """
    assert dataset.id is not None
    found = queries.dataset_questions(session, dataset.id)
    mixed = [task for task, rewards in found if len(set(rewards)) > 1]
    tasks = drawn(mixed, questions, seed=seed, number=dataset.iteration)
    if not tasks:
        raise UsageError(
            f"--validate: {len(mixed)} of the {len(found)} questions of dataset {dataset.name!r} were solved by some "
            "rollouts and not by others; two are needed, one to train on and one to hold out"
        )
    return Validation(tuple(tasks), samples)


def check_validation(settings: Settings) -> None:
    """Raises: UsageError for an engine that can't sample the weights so far; KarlError for a judge that is down."""
    if settings.engine == "chat":
        raise UsageError(
            "--validate: engine 'chat' asks an endpoint, not the weights that are trained; set engine = local"
        )
    if settings.judge is not None:
        check_judge(settings.judge)


@contextmanager
def validation_context(
    store: Store,
    plan: TrainPlan,
    validation: Validation,
    *,
    settings: Settings,
    reporter: Reporter,
    stop: asyncio.Event,
) -> Iterator[Context]:
    """The dataset's run, as its solver was set up: corpus, graphs, tasks, judge. An index that is missing is built.

    Raises: UsageError for a corpus without texts, an embedder that is not installed, or a broken graph.
    """
    with store.session() as session:
        run = next(row for row in queries.runs(session) if row.id == plan.dataset.run_id)
        corpus = next(row for row in queries.corpora(session) if row.id == run.corpus_id)
        chunks = queries.corpus_counts(session, id_of(corpus)).chunks
    if not chunks:
        raise UsageError(
            f"--validate: corpus {corpus.name!r}, which dataset {plan.dataset.name!r} is about, has no texts in this "
            f"store; read them again: karl ingest {corpus.source} --name {corpus.name}"
        )
    taken = {key: run.settings[key] for key in TAKEN if key in run.settings}
    own = {"corpus": corpus.name, "base": plan.base, "seed": plan.config.seed, "validation_samples": validation.samples}
    context = open_context(
        store,
        run,
        config=make_config({**taken, **own}),
        settings=settings,
        judge=open_judge(settings),
        reporter=reporter,
        stop=stop,
    )
    try:
        context.graph("solve")
        yield context
    finally:
        context.close()
