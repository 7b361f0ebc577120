"""Held-out questions: the user's file, or questions synthesised from chunks that training never starts from."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from agents.judges import Pair, QualityCase
from agents.policy import Policy
from graphs.decide import deduplicate, filter_quality
from graphs.state import RolloutInputs
from karl.collect import Unit
from store import queries
from store.errors import KarlError, UsageError
from store.models import Chunk, Task
from store.queries import RolloutLinks
from store.types import Fate, Purpose

if TYPE_CHECKING:
    from karl.loop import Context

RESERVED = 5  # one chunk in so many is kept for held-out questions


class QuestionLine(BaseModel, frozen=True, extra="ignore"):
    """A line of a questions file. `nuggets`: facts of a right answer; without them the answer is the one fact."""

    question: str
    answer: str
    nuggets: list[str] = []
    kind: str = ""


async def hold_out(context: Context, policy: Policy) -> None:
    """Store the run's held-out questions, once."""
    with context.store.session() as session:
        if queries.tasks_by_fate(session, context.run_id, fates=Fate.HELD_OUT):
            return
    if context.config.questions is not None:
        tasks = [_task(context, number, line) for number, line in enumerate(_read(context.config.questions))]
        with context.store.session() as session:
            queries.save_tasks(session, tasks[: context.config.held_out])
        return
    await _synthesise(context, policy)


def _read(path: Path) -> Iterator[QuestionLine]:
    """Raises: UsageError that names the file and the line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"{path}: the questions cannot be read: {exc}") from exc
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise UsageError(f"{path}: holds no question; write one JSON object a line with question and answer")
    for number, line in lines:
        yield _parse(line, where=f"{path}:{number}")


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
        corpus_id=_id(context.question_corpus),
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
    from karl.loop import draw_seeds

    with context.store.session() as session:
        chunks = [*queries.corpus_chunks(session, _id(context.corpus))]
    usable = [chunk for chunk in chunks if reserved(chunk)] or chunks
    keys = [context.key(0, "generate", index) for index in range(context.config.held_out * 2)]
    units = [
        Unit(
            key=key,
            inputs=RolloutInputs(seeds=draw_seeds(usable, key=key, count=context.config.seed_chunks)),
            links=RolloutLinks(run_id=context.run_id, iteration=0, attempt=index),
            purpose=Purpose.SYNTHESIZE,
        )
        for index, key in enumerate(keys)
    ]
    runner = context.runner("qa_generator", policy, context.searcher)
    with context.reporter.stage("held-out questions", len(units)) as progress:
        await context.collector(context.corpus).collect(units, runner=runner, run_id=context.run_id, progress=progress)
    await _choose(context)


async def _choose(context: Context) -> None:
    with context.store.session() as session:
        proposed = queries.tasks_by_fate(session, context.run_id, fates=Fate.PROPOSED, iteration=0)
        evidence = queries.chunks_by_id(session, {chunk for task in proposed for chunk in task.citations})
    pairs = [Pair(task.question, task.answer) for task in proposed]
    decisions = await deduplicate(pairs, held_out=[], judge=context.judge, seed=context.config.seed)
    chosen = 0
    for task, decision in zip(proposed, decisions, strict=True):
        fate, reason = Fate.DUPLICATE, decision.reason
        if decision.kept:
            texts = [evidence[chunk].text for chunk in task.citations if chunk in evidence]
            case = QualityCase(task.question, task.answer, task.nuggets or [task.answer], texts, [])
            verdict = await filter_quality(case, judge=context.judge, graph_path=context.settings.graph_path)
            fate, reason = (Fate.HELD_OUT, "") if verdict.valid else (Fate.INVALID, "; ".join(verdict.reasons))
        if fate is Fate.HELD_OUT and chosen >= context.config.held_out:
            break
        chosen += fate is Fate.HELD_OUT
        with context.store.session() as session:
            queries.set_fate(session, _id(task), fate=fate, reason=reason)
    if not chosen:
        raise KarlError(
            f"no held-out question could be written about corpus {context.corpus.name!r} "
            f"({len(proposed)} proposed): give your own with --questions FILE.jsonl"
        )


def _id(row: Any) -> int:
    assert row.id is not None
    return row.id
