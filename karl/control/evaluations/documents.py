"""Documents of `karl eval` side by side, as one sheet. Reads no file; imports of `evals.report` are cheap, not free."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from evals.report.behaviour import BehaviourFigures
from evals.report.blocks import Bullets, Paragraph, Table
from evals.report.closed import CurvePoint, Estimate
from evals.report.document import EvaluationDocument, Generation, TaskFigures
from evals.report.joined import Column, Joined, compared, join
from evals.report.joined import Pair as JoinedPair
from evals.report.sections.against_published import against_published
from evals.report.sections.comparisons import STATES, said
from evals.report.sections.failures import failures
from evals.report.sections.opening import opening
from evals.report.text import words
from evals.report.traces import telling_failures
from karl.control.evaluations.tradeoffs import tradeoffs
from karl.control.evaluations.values import (
    ClassShare,
    Curve,
    FailureLine,
    Grid,
    Interval,
    Pair,
    Point,
    Profile,
    ScoreLine,
    Sheet,
    SystemLine,
)

LENGTHS = ("turns", "searches", "distinct_queries", "unique_documents", "compressions")


def sheet_of(documents: Sequence[EvaluationDocument], *, pair: tuple[str, str] | None, listed: int) -> Sheet:
    """pair: labels (before, after) of the two that are compared; None: every later system with the first.
    listed: failures a system, at most.

    Raises: UsageError for a document given twice, or without systems.
    """
    joined = join(documents)
    facts, notes = _opening(joined)
    published_notes, published = _published(joined)
    return Sheet(
        facts=facts,
        notes=notes,
        systems=tuple(map(_system, joined.columns)),
        scores=tuple(_scores(joined)),
        pairs=tuple(_pair(joined, one) for one in _chosen(joined, pair)),
        published_notes=published_notes,
        published=published,
        tradeoffs=tuple(tradeoffs(joined)),
        curves=tuple(
            Curve(column.label, tuple(map(_point, column.result.figures.curve)))
            for column in joined.columns
            if column.result.figures.curve
        ),
        profiles=tuple(
            _profile(column.label, found) for column in joined.columns if (found := column.result.figures.behaviour)
        ),
        failures=tuple(_failures(joined, listed)),
        failed_questions=sum(_wrong(column, own) > 0 for column, own in _answers(joined)),
        reasons=tuple(_reasons(joined)),
    )


def _interval(found: Estimate | None) -> Interval | None:
    return None if found is None else Interval(found.mean, found.low, found.high)


def _opening(joined: Joined) -> tuple[tuple[str, ...], tuple[str, ...]]:
    bullets = [block for block in opening(joined) if isinstance(block, Bullets)]
    return (
        tuple(item for block in bullets if not block.warning for item in block.items),
        tuple(item for block in bullets if block.warning for item in block.items),
    )


def _published(joined: Joined) -> tuple[tuple[str, ...], tuple[Grid, ...]]:
    blocks = against_published(joined)
    return (
        tuple(block.text for block in blocks if isinstance(block, Paragraph)),
        tuple(_grid(block) for block in blocks if isinstance(block, Table)),
    )


def _grid(table: Table) -> Grid:
    rows = tuple(tuple(cell.text if not isinstance(cell, str) else cell for cell in row) for row in table.rows)
    return Grid(table.caption, table.header, rows)


def _system(column: Column) -> SystemLine:
    figures = column.result.figures
    tasks, curve = list(figures.tasks.values()), figures.curve
    searches = figures.behaviour.searches if figures.behaviour else None
    return SystemLine(
        label=column.label,
        score=_interval(figures.score),
        # Of several tasks there is no pass@1: the mean of the tasks' scores is their one overall figure.
        pass_at_1=_interval(tasks[0].pass_at_1) if len(tasks) == 1 else None,
        k=column.document.settings.samples,
        max_at_k=_interval(curve[-1].score) if curve else None,
        searches=searches.mean if searches else None,
        generations=sum(task.generations for task in tasks),
        failed=sum(task.failed for task in tasks),
        unfinished=sum(task.unfinished for task in tasks),
        unjudged=sum(task.unjudged for task in tasks),
        temperature=column.document.settings.temperature,
    )


def _scores(joined: Joined) -> Iterator[ScoreLine]:
    if len(joined.tasks) > 1:
        yield ScoreLine("all tasks", 0, tuple(_interval(column.result.figures.score) for column in joined.columns))
    for task in joined.tasks:
        own = [column.result.figures.tasks.get(task) for column in joined.columns]
        yield ScoreLine(joined.title(task), 0, tuple(_interval(one.score) if one else None for one in own))
        yield ScoreLine("half credit", 1, tuple(_interval(one.half_credit) if one else None for one in own))
        yield ScoreLine("pass@1", 1, tuple(_interval(one.pass_at_1) if one else None for one in own))
        for k in sorted({point.k for one in own if one for point in one.passes if point.k > 1}):
            yield ScoreLine(f"pass@{k}", 1, tuple(_pass_at(one, k) for one in own))
        yield from _splits(own)
        for name in dict.fromkeys(name for one in own if one for name in one.others):
            yield ScoreLine(words(name), 1, tuple(_interval(one.others.get(name)) if one else None for one in own))


def _pass_at(own: TaskFigures | None, k: int) -> Interval | None:
    return _interval(next((point.score for point in own.passes if point.k == k), None)) if own else None


def _splits(own: Sequence[TaskFigures | None]) -> Iterator[ScoreLine]:
    """Nothing where there is only one."""
    names = list(dict.fromkeys(split for one in own if one for split in one.splits))
    for name in names if len(names) > 1 else []:
        found = [one.splits.get(name) if one else None for one in own]
        yield ScoreLine(words(name), 1, tuple(_interval(split.score) if split else None for split in found))


def _chosen(joined: Joined, pair: tuple[str, str] | None) -> Sequence[JoinedPair]:
    columns = {column.label: column for column in joined.columns}
    if pair is None or not set(pair) <= columns.keys():
        return joined.pairs
    before, after = pair
    return [compared(columns[before], columns[after])]


def _pair(joined: Joined, pair: JoinedPair) -> Pair:
    entry = pair.entry
    if entry is None:
        return Pair(pair.first.label, pair.second.label, "score", None, "", 0, 0, 0, 0, (), STATES, (), pair.why)
    return Pair(
        first=pair.first.label,
        second=pair.second.label,
        measure="score",
        difference=_interval(entry.difference),
        verdict=said(entry.difference),
        wins=entry.wins,
        ties=entry.ties,
        losses=entry.losses,
        unpaired=entry.unpaired,
        tasks=tuple((joined.title(task), Interval(own.mean, own.low, own.high)) for task, own in entry.tasks.items()),
        states=STATES,
        matrix=tuple(tuple(entry.transitions[before][after] for after in STATES) for before in STATES),
        why="",
    )


def _point(point: CurvePoint) -> Point:
    return Point(point.k, Interval(point.score.mean, point.score.low, point.score.high), point.questions)


def _profile(label: str, found: BehaviourFigures) -> Profile:
    lengths = [(words(name), getattr(found, name)) for name in LENGTHS]
    return Profile(
        label=label,
        rollouts=found.rollouts,
        classes=tuple(
            ClassShare(words(name), own.rollouts, own.share, own.solved) for name, own in found.classes.items()
        ),
        lengths=tuple((name, own.mean) for name, own in lengths if own is not None),
    )


def _answers(joined: Joined) -> Iterator[tuple[Column, tuple[Generation, ...]]]:
    for column in joined.columns:
        for row in joined.rows:
            yield column, row.answers.get(column.label, ())


def _wrong(column: Column, own: Sequence[Generation]) -> int:
    return sum((one.score or 0.0) < column.document.settings.threshold for one in own)


def _failures(joined: Joined, count: int) -> Iterator[FailureLine]:
    for column in joined.columns:
        held = {
            one.rollout: (row.question, one, own)
            for row in joined.rows
            for own in [row.answers.get(column.label, ())]
            for one in own
        }
        for key in telling_failures(replace(joined, columns=(column,)), count):
            question, one, own = held[key]
            yield FailureLine(
                system=column.label,
                task=joined.title(question.task),
                key=question.key,
                question=question.question,
                reference=question.reference,
                answer=one.answer,
                status=one.status,
                score=one.score,
                reason=one.reason,
                wrong=_wrong(column, own),
                answers=len(own),
                rollout=one.rollout,
            )


def _reasons(joined: Joined) -> Iterator[tuple[str, ...]]:
    for block in failures(joined):
        if isinstance(block, Table):
            yield from _grid(block).rows
