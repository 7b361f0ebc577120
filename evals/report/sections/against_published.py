"""Our systems on the paper's six tasks, and the paper's Table 4: two tables, because the data and the judge differ."""

from __future__ import annotations

from collections.abc import Sequence

from evals.report.blocks import Block, Heading, Link, Paragraph, Table, table
from evals.report.joined import Column, Joined
from evals.report.published import CITATION, COLUMNS, HELD_OUT, TABLE_4, TRAINED, URL, Published
from evals.report.text import UNKNOWN, interval, listed
from evals.tasks import TASKS

PARTIAL = "*"  # marks a task that was not asked in full


def against_published(joined: Joined) -> list[Block]:
    found: list[Block] = [Heading("Against the published table")]
    if not any(task in COLUMNS for task in joined.tasks):
        return [
            *found,
            Paragraph(
                "None of the six tasks of KARLBench was measured here, so that nothing can stand beside the published "
                f"Table 4 ({CITATION})."
            ),
        ]
    return [*found, Paragraph(_said(joined), warning=True), _ours(joined), _published(), _oddity()]


def _said(joined: Joined) -> str:
    missing = [TASKS[name].spec.title for name in COLUMNS if name not in joined.tasks]
    partial = sorted({TASKS[name].spec.title for c in joined.columns for name in COLUMNS if _is_partial(c, name)})
    lines = ["The published figures are of their data, their corpora and their judge; ours are of what is named above."]
    lines.append(f"Not measured here: {listed(missing)}." if missing else "All six tasks were measured here.")
    if partial:
        lines.append(f"Not asked in full, and marked {PARTIAL}: {listed(partial)}.")
    elif not missing:
        lines.append("Each was asked in full.")
    return " ".join(lines)


def _ours(joined: Joined) -> Table:
    rows = [
        (column.label, *(_score(column, name) for name in COLUMNS), *_means(column))
        for column in joined.columns
        if any(name in column.result.figures.tasks for name in COLUMNS)
    ]
    return table("Measured here, %", _header("system"), rows)


def _published() -> Table:
    caption = "Published, their data and judge, %"
    return table(caption, _header("model"), [(row.model, *_cells(row)) for row in TABLE_4])


def _oddity() -> Paragraph:
    """A figure that does not follow from its row stands as it was published."""
    odd = [
        f"{row.model}: {row.trained} in distribution, where its two tasks come to {own:.1f}"
        for row in TABLE_4
        if row.trained is not None and abs((own := _mean(row, TRAINED)) - row.trained) > 0.1
    ]
    note = f" As published, though it does not follow from its own row: {'; '.join(odd)}." if odd else ""
    return Paragraph(f"Source: {CITATION}, {URL}.{note}")


def _mean(row: Published, names: Sequence[str]) -> float:
    return sum(row.scores[name] for name in names) / len(names)


def _header(first: str) -> tuple[str, ...]:
    return (first, *(TASKS[name].spec.title for name in COLUMNS), "in distribution", "held out", "total")


def _cells(row: Published) -> tuple[str | Link, ...]:
    scores = [row.scores.get(name) for name in COLUMNS]
    return tuple(UNKNOWN if value is None else f"{value:.1f}" for value in (*scores, *row[2:]))


def _score(column: Column, name: str) -> str:
    own = column.result.figures.tasks.get(name)
    return (interval(own.score) if own else UNKNOWN) + (PARTIAL if _is_partial(column, name) else "")


def _is_partial(column: Column, name: str) -> bool:
    task = column.task(name)
    return task is not None and not task.complete


def _means(column: Column) -> tuple[str, ...]:
    """Only of tasks that all have a score: a mean of some would be another figure."""
    tasks = column.result.figures.tasks
    found: list[str] = []
    for names in (TRAINED, HELD_OUT, COLUMNS):
        own = [figures.score.mean for name in names if (figures := tasks.get(name)) and figures.score]
        mark = PARTIAL if any(_is_partial(column, name) for name in names) else ""
        found.append(f"{100 * sum(own) / len(own):.1f}{mark}" if len(own) == len(names) else UNKNOWN)
    return tuple(found)
