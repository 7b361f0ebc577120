"""An evaluation ready to run: everything that can be wrong has been looked at, and nothing has been sampled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.judges import Judge, LlmJudge
from evals.items import EvalItem
from evals.prices import PriceTable
from evals.report.document import CorpusEntry, JudgeEntry
from karl.evaluations.config import EvalConfig
from karl.evaluations.graphs import TaskGraph
from karl.evaluations.suite import TaskPlan
from karl.evaluations.systems import System
from karl.settings import Settings
from store import queries
from store.corpus_settings import CorpusSettings
from store.models import Run
from store.session import Store


@dataclass(frozen=True)
class Arm:
    """A system in the run. `graphs`: task -> graph; empty: it answers by itself."""

    name: str
    system: System
    graphs: Mapping[str, TaskGraph]


@dataclass(frozen=True)
class Evaluation:
    """`corpora` by name. `sha256`: the document's; `judge` labels the answers."""

    store: Store
    settings: Settings
    config: EvalConfig
    run: Run
    plans: Sequence[TaskPlan]
    corpora: Mapping[str, CorpusEntry]
    arms: Sequence[Arm]
    judge: Judge
    prices: PriceTable
    sha256: str

    @property
    def run_id(self) -> int:
        assert self.run.id is not None
        return self.run.id

    def task_key(self, plan: TaskPlan, item: EvalItem) -> str:
        return f"{self.run.name}/{plan.name}/{item.key}"

    def prefix(self, arm: Arm, plan: TaskPlan) -> str:
        """With which the keys of an arm's rollouts on a task begin."""
        return f"{self.run.name}/eval/{arm.name}/{plan.name}/"

    def plan(self, name: str) -> TaskPlan:
        return next(plan for plan in self.plans if plan.name == name)


def judge_entry(judge: Judge) -> JudgeEntry:
    prompt = judge.prompts["nugget_judge"].sha256 if isinstance(judge, LlmJudge) else ""
    return JudgeEntry(name=judge.name, prompt_sha256=prompt)


def corpus_entry(store: Store, name: str) -> CorpusEntry:
    """Raises: UsageError for an unknown one."""
    with store.session() as session:
        row = queries.corpus_by_name(session, name)
        counts = queries.corpus_counts(session, row.id or 0)
        settings: Any = CorpusSettings.model_validate(row.settings)
        return CorpusEntry(
            name=name,
            sha256=queries.corpus_sha256(session, row.id or 0),
            documents=counts.documents,
            chunks=counts.chunks,
            embedder=settings.embedder,
        )
