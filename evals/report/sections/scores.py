"""Scores by task and split, with intervals; whatever else was measured of the answers."""

from __future__ import annotations

from evals.report.blocks import Block, Figure, Heading, Table, table
from evals.report.document import TaskFigures
from evals.report.joined import Column, Joined
from evals.report.svg.dots import Dot, Lane, dots
from evals.report.text import UNKNOWN, interval, words


def scores(joined: Joined) -> list[Block]:
    found: list[Block] = [Heading("Scores"), _figure(joined)]
    for task in joined.tasks:
        found.append(_task(joined, task))
        splits = _splits(joined, task)
        others = _others(joined, task)
        found += [one for one in (splits, others) if one is not None]
    return found


def _figure(joined: Joined) -> Figure:
    lanes = [Lane(joined.title(task), tuple(_dots(joined, task))) for task in joined.tasks if list(_dots(joined, task))]
    if len(joined.tasks) > 1:
        whole = [(n, column, column.result.figures.score) for n, column in enumerate(joined.columns)]
        every = tuple(Dot(n, c.label, found.mean, found.low, found.high) for n, c, found in whole if found)
        lanes = [*([Lane("all tasks", every)] if every else []), *lanes]
    picture = dots(
        lanes,
        name="scores",
        title="Scores with 95% intervals",
        description="For each task a dot for each system, with the interval of its mean; the table has the figures.",
        x_name="score, %",
    )
    return Figure("Scores", "Means with their 95% intervals.", picture, _overall(joined))


def _dots(joined: Joined, task: str) -> list[Dot]:
    own = [(n, column.label, _of(column, task)) for n, column in enumerate(joined.columns)]
    return [
        Dot(n, label, figures.score.mean, figures.score.low, figures.score.high)
        for n, label, figures in own
        if figures and figures.score
    ]


def _overall(joined: Joined) -> Table:
    rows = [
        (
            column.label,
            interval(column.result.figures.score),
            *(interval(own.score) if (own := _of(column, task)) else UNKNOWN for task in joined.tasks),
        )
        for column in joined.columns
    ]
    titles = [joined.title(task) for task in joined.tasks]
    return table("Score by system: mean of the tasks, and each task, %", ("system", "all tasks", *titles), rows)


def _task(joined: Joined, task: str) -> Table:
    header = (
        *("system", "score", "half credit", "pass@1"),
        *("questions", "generations", "scored", "unfinished", "failed", "unjudged"),
    )
    rows = [(column.label, *_counts(own)) for column in joined.columns if (own := _of(column, task))]
    return table(f"{joined.title(task)}: scores, %, and how many generations they rest on", header, rows)


def _counts(own: TaskFigures) -> tuple[str, ...]:
    means = map(interval, (own.score, own.half_credit, own.pass_at_1))
    counts = (own.questions, own.generations, own.scored, own.unfinished, own.failed, own.unjudged)
    return (*means, *map(str, counts))


def _splits(joined: Joined, task: str) -> Table | None:
    """None where there is only one."""
    found = [own for column in joined.columns if (own := _of(column, task))]
    names = list(dict.fromkeys(split for own in found for split in own.splits))
    if len(names) < 2:
        return None
    header = ("split", "questions", *(c.label for c in joined.columns), *(f"{c.label}, pass@1" for c in joined.columns))
    return table(
        f"{joined.title(task)}: score and pass@1 by split, %", header, [_split(joined, task, n) for n in names]
    )


def _split(joined: Joined, task: str, name: str) -> tuple[str, ...]:
    every = [own.splits.get(name) if (own := _of(column, task)) else None for column in joined.columns]
    counts = sorted({one.questions for one in every if one})
    return (
        words(name),
        "-".join(map(str, dict.fromkeys([counts[0], counts[-1]]))) if counts else UNKNOWN,
        *(interval(one.score) if one else UNKNOWN for one in every),
        *(interval(one.pass_at_1) if one else UNKNOWN for one in every),
    )


def _others(joined: Joined, task: str) -> Table | None:
    every = [own.others if (own := _of(column, task)) else {} for column in joined.columns]
    names = sorted({name for others in every for name in others})
    if not names:
        return None
    rows = [(words(name), *(interval(others.get(name)) for others in every)) for name in names]
    header = ("measure", *(column.label for column in joined.columns))
    return table(f"{joined.title(task)}: beside the score, where it is defined, %", header, rows)


def _of(column: Column, task: str) -> TaskFigures | None:
    return column.result.figures.tasks.get(task)
