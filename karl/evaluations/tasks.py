"""An evaluation's questions as rows of the store: nuggets made where the data has none, evidence as chunks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agents.errors import RolloutError
from agents.judges import LlmJudge
from evals.corpora.keys import evidence_keys
from evals.items import EvalItem, Nugget
from evals.report.grading import Asked
from evals.scoring.nuggetise import LlmNuggetiser, Nuggetiser, RuleNuggetiser
from karl.evaluations.plan import Evaluation
from karl.evaluations.suite import TaskPlan
from karl.reporting import Reporter
from store import queries
from store.errors import KarlError
from store.models import Task
from store.types import Fate

MADE_BY = "nuggets by "
BATCH = 16  # questions whose nuggets are stored at once: what an interruption can cost


@dataclass(frozen=True)
class AskedTasks:
    """Rows by task name; `asked`: row id -> question with its nuggets."""

    rows: dict[str, list[Task]]
    asked: dict[int, Asked]

    def notes(self, task: str) -> list[str]:
        """Who made nuggets that the data does not have."""
        makers = Counter(row.reason.removeprefix(MADE_BY) for row in self.rows[task] if row.reason)
        return [f"nuggets of {count} questions made from the references by {maker}" for maker, count in makers.items()]


async def store_tasks(evaluation: Evaluation, *, reporter: Reporter) -> AskedTasks:
    """Once; what is stored is read. Raises: KarlError where no nuggets can be made."""
    with evaluation.store.session() as session:
        held = {task.key: task for task in queries.tasks_by_fate(session, evaluation.run_id, fates=Fate.HELD_OUT)}
    rows: dict[str, list[Task]] = {}
    for plan in evaluation.plans:
        missing = [item for item in plan.items if evaluation.task_key(plan, item) not in held]
        if missing:
            gold = gold_chunks(evaluation, plan, missing)
            await _add(evaluation, plan, missing, gold=gold, reporter=reporter)
    with evaluation.store.session() as session:
        held = {task.key: task for task in queries.tasks_by_fate(session, evaluation.run_id, fates=Fate.HELD_OUT)}
    asked: dict[int, Asked] = {}
    for plan in evaluation.plans:
        rows[plan.name] = [held[evaluation.task_key(plan, item)] for item in plan.items]
        for row, item in zip(rows[plan.name], plan.items, strict=True):
            nuggets = item.nuggets or tuple(Nugget(text=text) for text in row.nuggets)
            whole = item.model_copy(update={"nuggets": nuggets})
            asked[row.id or 0] = Asked(plan.name, plan.metric, whole)
    return AskedTasks(rows, asked)


async def _add(
    evaluation: Evaluation,
    plan: TaskPlan,
    items: Sequence[EvalItem],
    *,
    gold: dict[str, list[int]],
    reporter: Reporter,
) -> None:
    nuggetiser = _nuggetiser(evaluation)
    with evaluation.store.session() as session:
        corpus_id = queries.corpus_by_name(session, plan.corpus).id or 0
    bare = sum(not item.nuggets for item in items)
    if bare:
        reporter.say(f"{plan.name}: making the nuggets of {bare} questions from their references")
    for start in range(0, len(items), BATCH):
        made = [
            _row(evaluation, plan, item, await _made(item, nuggetiser), corpus_id=corpus_id, gold=gold)
            for item in items[start : start + BATCH]
        ]
        with evaluation.store.session() as session:
            queries.save_tasks(session, made)


def _nuggetiser(evaluation: Evaluation) -> Nuggetiser:
    judge = evaluation.judge
    if isinstance(judge, LlmJudge):
        return LlmNuggetiser(judge.model, prompt_path=evaluation.settings.prompt_path)
    return RuleNuggetiser()


async def _made(item: EvalItem, nuggetiser: Nuggetiser) -> tuple[Sequence[Nugget], str]:
    """(nuggets, who made them; nobody where the data has them)"""
    if item.nuggets:
        return item.nuggets, ""
    try:
        made = await nuggetiser.nuggetise(item)
    except RolloutError as exc:
        raise KarlError(f"question {item.key!r}: {exc}; mend that, and the same command goes on") from exc
    return made.nuggets, made.nuggetiser


def _row(
    evaluation: Evaluation,
    plan: TaskPlan,
    item: EvalItem,
    made: tuple[Sequence[Nugget], str],
    *,
    corpus_id: int,
    gold: dict[str, list[int]],
) -> Task:
    return Task(
        key=evaluation.task_key(plan, item),
        run_id=evaluation.run_id,
        iteration=0,
        corpus_id=corpus_id,
        kind=item.kind or item.split,
        question=item.question,
        answer=item.reference,
        nuggets=[nugget.text for nugget in made[0]],
        citations=gold[item.key],
        fate=Fate.HELD_OUT,
        reason=f"{MADE_BY}{made[1]}" if made[1] else "",
    )


def gold_chunks(evaluation: Evaluation, plan: TaskPlan, items: Iterable[EvalItem]) -> dict[str, list[int]]:
    """Item -> its evidence as chunks, where every piece is one chunk; otherwise none: which of several is not known."""
    listed = list(items)
    wanted = {name for item in listed for name in item.gold}
    chunks: dict[str, list[int]] = defaultdict(list)
    if wanted:
        with evaluation.store.session() as session:
            corpus_id = queries.corpus_by_name(session, plan.corpus).id or 0
            for id_, key, page in queries.chunk_names(session, corpus_id):
                for name in evidence_keys(key, page=page) & wanted:
                    chunks[name].append(id_)
    found = {item.key: [chunks[name] for name in item.gold] for item in listed}
    return {
        key: sorted({own[0] for own in pieces}) if all(len(own) == 1 for own in pieces) else []
        for key, pieces in found.items()
    }
