"""Held-out questions: the user's file, or questions synthesised from chunks that training never starts from."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from agents.judges import Pair, QualityCase
from agents.policy import Policy
from graphs.decide import deduplicate, filter_quality
from graphs.dedup import Decision
from graphs.state import RolloutInputs
from karl.collect import Unit
from karl.context import Context, id_of
from karl.seeding import draw_seeds
from karl.verdicts import duplicate_judgement, quality_judgement
from store import queries
from store.errors import KarlError, UsageError
from store.jsonfile import json_lines
from store.models import Chunk, Task
from store.queries import RolloutLinks
from store.types import Fate, Purpose

RESERVED = 5  # one chunk in so many is kept for held-out questions


class QuestionLine(BaseModel, frozen=True, extra="ignore"):
    """A line of a questions file. `nuggets`: facts of a right answer; without them the answer is the one fact."""

    question: str = Field(min_length=1)
    answer: str = Field(min_length=1)
    nuggets: list[str] = []
    kind: str = ""


async def hold_out(context: Context, policy: Policy) -> None:
    """Store the run's held-out questions, once."""
    if _complete(context):
        return
    if context.config.questions is not None:
        tasks = [_task(context, number, line) for number, line in enumerate(read_questions(context.config.questions))]
        with context.store.session() as session:
            queries.save_tasks(session, tasks[: context.config.held_out])
        return
    await _synthesise(context, policy)


def _complete(context: Context) -> bool:
    """Enough are held out, or nothing is left to choose from: then an interrupted choice is over as well."""
    with context.store.session() as session:
        held = queries.tasks_by_fate(session, context.run_id, fates=Fate.HELD_OUT)
        left = queries.tasks_by_fate(session, context.run_id, fates=Fate.PROPOSED, iteration=0)
    return len(held) >= context.config.held_out or bool(held and not left)


def read_questions(path: Path) -> list[QuestionLine]:
    """Raises: UsageError that names the file and the line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"{path}: the questions cannot be read: {exc}") from exc
    lines = list(json_lines(text))
    if not lines:
        raise UsageError(f"{path}: holds no question; write one JSON object a line with question and answer")
    return [_parse(line, where=f"{path}:{number}") for number, line in lines]


def _parse(line: str, *, where: str) -> QuestionLine:
    try:
        return QuestionLine.model_validate(json.loads(line))
    except json.JSONDecodeError as exc:
        raise UsageError(f"{where}: not a JSON object: {exc}") from exc
    except ValidationError as exc:
        error = exc.errors()[0]
        raise UsageError(f"{where}: key '{'.'.join(map(str, error['loc']))}': {error['msg']}") from exc


def _task(context: Context, number: int, line: QuestionLine) -> Task:
    return Task(
        key=context.key("held-out", number),
        run_id=context.run_id,
        iteration=0,
        corpus_id=id_of(context.question_corpus),
        kind=line.kind,
        question=line.question,
        answer=line.answer,
        nuggets=line.nuggets or [line.answer],
        fate=Fate.HELD_OUT,
    )


def reserved(chunk: Chunk) -> bool:
    """By the chunk's stable key, so that a larger corpus keeps its split."""
    return zlib.crc32(chunk.key.encode()) % RESERVED == 0


def training_chunks(context: Context, chunks: Sequence[Chunk]) -> list[Chunk]:
    """Chunks that training questions may start from: all with a questions file, else the unreserved ones."""
    if context.config.questions is not None:
        return list(chunks)
    return [chunk for chunk in chunks if not reserved(chunk)] or list(chunks)


async def _synthesise(context: Context, policy: Policy) -> None:
    """Questions by the starting policy from reserved chunks; distinct and grounded ones are held out."""
    with context.store.session() as session:
        chunks = [*queries.corpus_chunks(session, id_of(context.corpus))]
    usable = [chunk for chunk in chunks if reserved(chunk)] or chunks
    units = [
        Unit(
            key=context.key(0, "generate", index),
            inputs=RolloutInputs(seeds=draw_seeds(context, usable, part=f"0/generate/{index}")),
            links=RolloutLinks(run_id=context.run_id, iteration=0, attempt=index),
            purpose=Purpose.SYNTHESIZE,
        )
        for index in range(context.config.held_out * 2)
    ]
    runner = context.runner("synthesize", policy, context.searcher)
    with context.reporter.stage("held-out questions", len(units)) as progress:
        await context.collector(context.corpus).collect(units, runner=runner, run_id=context.run_id, progress=progress)
    await _choose(context)


async def _choose(context: Context) -> None:
    """Proposed questions -> held-out ones, until there are enough. Goes on where an earlier choice was interrupted."""
    with context.store.session() as session:
        proposed = queries.tasks_by_fate(session, context.run_id, fates=Fate.PROPOSED, iteration=0)
        held = queries.tasks_by_fate(session, context.run_id, fates=Fate.HELD_OUT)
        evidence = queries.chunks_by_id(session, {chunk for task in proposed for chunk in task.citations})
    proposed.sort(key=lambda task: task.key)  # rows are stored as they finish
    decisions = await deduplicate(
        [Pair(task.question, task.answer) for task in proposed],
        held_out=[Pair(task.question, task.answer) for task in held],
        judge=context.judge,
        seed=context.config.seed,
        graph=context.graph("deduplicate"),
    )
    chosen = len(held)
    for task, decision in zip(proposed, decisions, strict=True):
        if chosen >= context.config.held_out:
            break
        chosen += await _decide(context, task, decision, evidence=evidence) is Fate.HELD_OUT
    if not chosen:
        raise KarlError(
            f"no held-out question could be written about corpus {context.corpus.name!r} "
            f"({len(proposed)} proposed): give your own with --questions FILE.jsonl"
        )


async def _decide(context: Context, task: Task, decision: Decision, *, evidence: Mapping[int, Chunk]) -> Fate:
    """Store one question's fate, and the quality judge's verdict where it was asked."""
    if not decision.kept:
        fate, reason = Fate.DUPLICATE, decision.reason
        judgements = [duplicate_judgement(task, decision, context.graph("deduplicate"))]
    else:
        texts = [evidence[chunk].text for chunk in task.citations if chunk in evidence]
        case = QualityCase(task.question, task.answer, task.nuggets or [task.answer], texts, [])
        graph = context.graph("check_quality")
        verdict = await filter_quality(case, judge=context.judge, graph=graph)
        fate, reason = (Fate.HELD_OUT, "") if verdict.valid else (Fate.INVALID, "; ".join(verdict.reasons))
        judgements = [quality_judgement(task, verdict, graph)]
    with context.store.session() as session:
        queries.set_fate(session, id_of(task), fate=fate, reason=reason)
        queries.save_judgements(session, judgements)
    return fate
