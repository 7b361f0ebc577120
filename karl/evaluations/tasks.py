"""An evaluation's questions as rows of the store: nuggets made where the data has none, evidence as chunks."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agents.errors import RolloutError
from agents.judges import LlmJudge
from agents.judging import TokenUsage
from evals.corpora.keys import evidence_keys
from evals.items import EvalItem, Nugget
from evals.report.grading import Asked
from evals.scoring.nuggetise import LlmNuggetiser, Nuggetised, Nuggetiser, RuleNuggetiser
from karl.collect import Stopped
from karl.evaluations.plan import Evaluation
from karl.evaluations.provenance import TaskNote, told
from karl.evaluations.suite import TaskPlan
from karl.reporting import Reporter
from store import queries
from store.errors import KarlError
from store.models import Task
from store.types import Fate

BATCH = 16  # questions whose nuggets are asked for and stored at once: what an interruption can cost


@dataclass(frozen=True)
class AskedTasks:
    """Rows by task name; `asked`: row id -> question with its nuggets."""

    rows: dict[str, list[Task]]
    asked: dict[int, Asked]

    def items(self, task: str) -> list[EvalItem]:
        """As they were asked and judged: with the nuggets that were made."""
        return [self.asked[row.id or 0].item for row in self.rows[task]]

    def notes(self, task: str, *, by_model: bool) -> list[str]:
        """Who made nuggets that the data does not have, and which evidence the corpus lacks."""
        return told([TaskNote.parse(row.reason) for row in self.rows[task]], by_model=by_model)


class Gold:
    """Evidence of items in a corpus: its chunks, and what the corpus does not have."""

    def __init__(self, evaluation: Evaluation, plan: TaskPlan, items: Iterable[EvalItem]) -> None:
        wanted = {name for item in items for name in item.gold}
        self._chunks: dict[str, list[int]] = defaultdict(list)
        if wanted:
            with evaluation.store.session() as session:
                corpus_id = queries.corpus_by_name(session, plan.corpus).id or 0
                for id_, key, page in queries.chunk_names(session, corpus_id):
                    for name in evidence_keys(key, page=page) & wanted:
                        self._chunks[name].append(id_)

    def chunks(self, item: EvalItem) -> list[int]:
        """Where every piece of evidence is one chunk; otherwise none: which of several is not known."""
        pieces = [self._chunks.get(name, []) for name in item.gold]
        return sorted({own[0] for own in pieces}) if all(len(own) == 1 for own in pieces) else []

    def lacking(self, item: EvalItem) -> list[str]:
        return [name for name in item.gold if name not in self._chunks]


async def store_tasks(evaluation: Evaluation, *, reporter: Reporter, stop: asyncio.Event) -> AskedTasks:
    """Once; what is stored is read. Raises: KarlError where no nuggets can be made; Stopped."""
    held = _held(evaluation)
    for plan in evaluation.plans:
        missing = [item for item in plan.items if evaluation.task_key(plan, item) not in held]
        if missing:
            await _add(evaluation, plan, missing, reporter=reporter, stop=stop)
    held = _held(evaluation)
    rows: dict[str, list[Task]] = {}
    asked: dict[int, Asked] = {}
    for plan in evaluation.plans:
        rows[plan.name] = [held[evaluation.task_key(plan, item)] for item in plan.items]
        for row, item in zip(rows[plan.name], plan.items, strict=True):
            nuggets = item.nuggets or tuple(Nugget(text=text) for text in row.nuggets)
            whole = item.model_copy(update={"nuggets": nuggets})
            asked[row.id or 0] = Asked(plan.name, plan.metric, whole)
    return AskedTasks(rows, asked)


def _held(evaluation: Evaluation) -> dict[str, Task]:
    with evaluation.store.session() as session:
        return {task.key: task for task in queries.tasks_by_fate(session, evaluation.run_id, fates=Fate.HELD_OUT)}


async def _add(
    evaluation: Evaluation, plan: TaskPlan, items: Sequence[EvalItem], *, reporter: Reporter, stop: asyncio.Event
) -> None:
    """A batch that failed in part keeps the other part: its nuggets were paid for."""
    gold, nuggetiser = Gold(evaluation, plan, items), _nuggetiser(evaluation)
    guidance = plan.spec.guidance if plan.spec else ""
    bare = sum(not item.nuggets for item in items)
    if bare:
        reporter.say(f"{plan.name}: making the nuggets of {bare} questions from their references")
    for start in range(0, len(items), BATCH):
        if stop.is_set():
            raise Stopped
        batch = items[start : start + BATCH]
        made = await asyncio.gather(*(_made(item, nuggetiser, guidance) for item in batch))
        pairs = list(zip(batch, made, strict=True))
        _save(evaluation, plan, [(item, one) for item, one in pairs if isinstance(one, Nuggetised)], gold)
        for item, one in pairs:
            if isinstance(one, RolloutError):
                raise KarlError(f"question {item.key!r}: {one}; mend that, and the same command goes on") from one


def _nuggetiser(evaluation: Evaluation) -> Nuggetiser:
    judge = evaluation.judge
    if isinstance(judge, LlmJudge):
        return LlmNuggetiser(judge.model, prompt_path=evaluation.settings.prompt_path)
    return RuleNuggetiser()


async def _made(item: EvalItem, nuggetiser: Nuggetiser, guidance: str) -> Nuggetised | RolloutError:
    """By nobody where the data has them."""
    if item.nuggets:
        return Nuggetised(item.nuggets, "", {}, TokenUsage())
    try:
        return await nuggetiser.nuggetise(item, guidance=guidance)
    except RolloutError as exc:
        return exc


def _save(evaluation: Evaluation, plan: TaskPlan, made: Sequence[tuple[EvalItem, Nuggetised]], gold: Gold) -> None:
    with evaluation.store.session() as session:
        corpus_id = queries.corpus_by_name(session, plan.corpus).id or 0
        rows = [_row(evaluation, plan, item, one, corpus_id=corpus_id, gold=gold) for item, one in made]
        queries.save_tasks(session, rows)


def _row(
    evaluation: Evaluation, plan: TaskPlan, item: EvalItem, made: Nuggetised, *, corpus_id: int, gold: Gold
) -> Task:
    return Task(
        key=evaluation.task_key(plan, item),
        run_id=evaluation.run_id,
        iteration=0,
        corpus_id=corpus_id,
        kind=item.kind or item.split,
        question=item.question,
        answer=item.reference,
        nuggets=[nugget.text for nugget in made.nuggets],
        citations=gold.chunks(item),
        fate=Fate.HELD_OUT,
        reason=TaskNote.of(made, lacking=gold.lacking(item)).written(),
    )
