"""A leaderboard as blocks, for Markdown, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from evals.leaderboard.ranking import Board, Ranked
from evals.report.blocks import Block, Cell, Code, Heading, Link, Paragraph, Table, table
from evals.report.text import UNKNOWN, counted, dollars, interval, listed, number, percent, short

SAID = (
    "A rank is one more than the number of entries that are shown to be better: by the 95% interval of the difference "
    "paired by question, or, where a submission holds no questions, by intervals that do not meet. Tied entries may "
    "stand in either order. Cost and latency are as stated. Tables of different tasks, items or judges are not "
    "comparable with each other."
)
ENTRY = ("rank", "system", "organisation", "score, %", "tied with")
FURTHER = ("USD a query", "median s", "without a score", "weights", "code", "figures", "evaluation")


def blocks(found: Sequence[Board], *, name: str) -> list[Block]:
    page: list[Block] = [Heading(name, level=1)]
    if not found:
        return [*page, Paragraph("No entry yet.")]
    page.append(Paragraph(SAID))
    for board in found:
        page += [Heading(_title(board)), _table(board), *map(Paragraph, _corpora(board))]
        notes = [_note(row) for row in board.rows if row.entry.submission.note or row.entry.submission.links]
        page += [one for own in notes for one in own]
    return page


def as_json(found: Sequence[Board]) -> dict[str, Any]:
    return {"version": 1, "tables": [_board_json(board) for board in found]}


def _title(board: Board) -> str:
    prompt = f", prompt {short(board.prompt_sha256)}" if board.prompt_sha256 else ""
    own = [
        f"{task.title} ({counted(task.questions, 'question')}, items {task.items_sha256[:8]})" for task in board.tasks
    ]
    return f"{listed(own)}, judge {board.judge}{prompt}"


def _corpora(board: Board) -> Iterator[str]:
    """Where entries searched corpora that differ: their own chunks or embedder may explain a score. A system that
    answers by itself searched none of them.
    """
    for task in board.tasks:
        found: dict[str, list[str]] = {}
        for row in board.rows:
            own = row.entry.submission.evaluation
            corpus = next(one.corpus for one in own.tasks if one.name == task.name)
            if task.name in row.entry.submission.result.entry.graphs:
                found.setdefault(f"{short(corpus.sha256)} ({corpus.embedder})", []).append(row.entry.name)
        if len(found) > 1:
            told = "; ".join(f"{corpus}: {listed(names)}" for corpus, names in found.items())
            yield f"{task.title} was searched in corpora that differ in content, chunks or embedder: {told}."


def _table(board: Board) -> Table:
    tasks = [task.title for task in board.tasks] if len(board.tasks) > 1 else []
    rows = [_row(board, row) for row in board.rows]
    return table(f"{counted(len(rows), 'system')}, {_title(board)}", (*ENTRY, *tasks, *FURTHER), rows, words=True)


def _row(board: Board, row: Ranked) -> tuple[Cell, ...]:
    own, result = row.entry.submission, row.entry.submission.result
    by_task = [
        interval(figures.score) if (figures := result.figures.tasks.get(task.name)) else UNKNOWN
        for task in (board.tasks if len(board.tasks) > 1 else ())
    ]
    every = result.figures.tasks.values()
    gone, asked = sum(one.failed + one.unjudged for one in every), sum(one.generations for one in every)
    point = result.figures.pareto
    return (
        UNKNOWN if row.rank is None else str(row.rank),
        Link(own.system, own.links[0].url) if own.links else own.system,
        own.organisation,
        interval(row.score),
        listed(list(row.tied)) or UNKNOWN,
        *by_task,
        dollars(point.usd_per_query),
        number(point.seconds_p50),
        f"{percent(gone / asked) if asked else UNKNOWN}%",
        str(own.weights),
        str(own.code),
        row.entry.verified,
        Code(own.evaluation.sha256[:16]),
    )


def _note(row: Ranked) -> list[Block]:
    own = row.entry.submission
    links = ", ".join(f"{one.name} {one.url}" for one in own.links)
    return [Paragraph(f"{own.system}: {'; '.join(part for part in (own.note, links) if part)}")]


def _board_json(board: Board) -> dict[str, Any]:
    return {
        "tasks": [
            task.model_dump(mode="json", include={"name", "title", "questions", "items_sha256"}) for task in board.tasks
        ],
        "judge": {"name": board.judge, "prompt_sha256": board.prompt_sha256},
        "entries": [_row_json(row) for row in board.rows],
    }


def _row_json(row: Ranked) -> dict[str, Any]:
    own, figures = row.entry.submission, row.entry.submission.result.figures
    return {
        "rank": row.rank,
        "tied_with": list(row.tied),
        "compared_unpaired_with": list(row.unpaired),
        **own.model_dump(mode="json", include={"system", "organisation", "links", "weights", "code", "note", "held"}),
        "verified": row.entry.verified,
        "evaluation": own.evaluation.sha256,
        "date": own.evaluation.date,
        "samples": own.evaluation.settings.samples,
        "score": row.score.model_dump() if row.score else None,
        "tasks": {name: one.score.model_dump() if one.score else None for name, one in sorted(figures.tasks.items())},
        "pareto": figures.pareto.model_dump(),
    }
