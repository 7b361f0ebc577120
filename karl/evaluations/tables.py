"""An evaluation in the terminal: scores by task and system, what else was measured, the comparison, what failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.box import HEAVY_HEAD
from rich.console import Console
from rich.table import Table

from evals.report.closed import CurvePoint, Estimate
from evals.report.document import EvaluationDocument, SystemResult, TaskFigures
from karl.page import roomy

FAILURES = 3  # reasons shown a system
LEGEND = "means of questions with 95% intervals; score: nugget completion, full support only"


def print_document(document: EvaluationDocument, console: Console, *, file: Path) -> None:
    """Where no terminal says how much room there is, a row is a line."""
    page = roomy(console)
    page.print(_scores(document, page))
    page.print(_spending(document, page))
    for line in lines(document, file=file):
        page.print(line, markup=False, soft_wrap=True)


def lines(document: EvaluationDocument, *, file: Path) -> Iterator[str]:
    for pair in document.comparisons:
        yield (
            f"{pair.first} minus {pair.second}: {_signed(pair.difference)}, "
            f"{pair.wins} questions won, {pair.ties} tied, {pair.losses} lost"
        )
    for system in document.systems:
        for reason, count in list(system.figures.failures.items())[:FAILURES]:
            yield f"{system.entry.name}: {count} without an answer that counts: {reason}"
    for task in document.tasks:
        yield from (f"{task.name}: {note}" for note in task.notes)
    yield from (f"note: {note}" for note in document.notes)
    judge = document.settings.judge
    note = " (normalised match; it knows no paraphrase)" if judge.name == "rule" else ""
    yield f"judge: {judge.name}{f', prompt {judge.prompt_sha256[:12]}' if judge.prompt_sha256 else ''}{note}"
    yield f"evaluation {document.sha256[:16]}, rollouts in run {document.name}: `karl behaviour {document.name}`"
    yield f"the whole document: {file}"


def _scores(document: EvaluationDocument, page: Console) -> Table:
    samples = document.settings.samples
    title = f"{document.settings.suite}: {len(document.questions)} questions, {samples} generations each"
    table = Table(title=title, caption=LEGEND, title_justify="left", caption_justify="left")
    table.box = HEAVY_HEAD if page.is_terminal else None
    table.add_column("score", no_wrap=True)
    for system in document.systems:
        table.add_column(system.entry.name, justify="right", overflow="fold")
    for label, cells in _rows(document.systems):
        table.add_row(label, *cells)
    return table


def _rows(systems: tuple[SystemResult, ...]) -> Iterator[tuple[str, list[str]]]:
    figures = [system.figures for system in systems]
    tasks = list(figures[0].tasks)
    for task in tasks:
        own = [one.tasks[task] for one in figures]
        yield task, [_shown(one.score) for one in own]
        splits = list(dict.fromkeys(split for one in own for split in one.splits))
        for split in splits if len(splits) > 1 else []:
            parts = [one.splits.get(split) for one in own]
            yield f"  {split}", [_shown(part.score if part else None) for part in parts]
        yield "  pass@1", [_shown(one.pass_at_1) for one in own]
        k = max((point.k for one in own for point in one.curve), default=1)
        if k > 1:
            yield f"  max@{k}", [_shown(_at(one.curve, k)) for one in own]
            yield f"  pass@{k}", [_shown(_at(one.passes, k)) for one in own]
        for name in dict.fromkeys(name for one in own for name in one.others):
            yield f"  {name.replace('_', ' ')}", [_defined(one, name) for one in own]
    if len(tasks) > 1:
        yield "all tasks", [_shown(one.score) for one in figures]


def _at(curve: Sequence[CurvePoint], k: int) -> Estimate | None:
    """None where no question has k scored generations."""
    return next((point.score for point in curve if point.k == k), None)


def _spending(document: EvaluationDocument, page: Console) -> Table:
    names = (
        "system",
        "generations",
        "failed",
        "unfinished",
        "USD a query",
        "tokens a query",
        "s to answer, p50",
        "p90",
    )
    table = Table(title_justify="left", box=HEAVY_HEAD if page.is_terminal else None)
    for name in names:
        table.add_column(name, justify="left" if name == "system" else "right")
    for system in document.systems:
        tasks, point = system.figures.tasks.values(), system.figures.pareto
        times = system.figures.latency.seconds["ttfat"]
        table.add_row(
            system.entry.name,
            str(sum(task.generations for task in tasks)),
            str(sum(task.failed for task in tasks)),
            str(sum(task.unfinished for task in tasks)),
            "unknown" if point.usd_per_query is None else f"{point.usd_per_query:.4g}",
            "unknown" if point.tokens_per_query is None else f"{point.tokens_per_query:,.0f}",
            "" if times is None else f"{times.p50:.3g}",
            "" if times is None else f"{times.p90:.3g}",
        )
    return table


def _defined(own: TaskFigures, name: str) -> str:
    """With the questions that it is of, where it is not of all."""
    count = own.others_questions.get(name, own.questions)
    return _shown(own.others.get(name)) + (f" of {count}" if 0 < count < own.questions else "")


def _shown(found: Estimate | None) -> str:
    return "none" if found is None else f"{found.mean:.3f} ({found.low:.3f}..{found.high:.3f})"


def _signed(found: Estimate) -> str:
    return f"{found.mean:+.3f} ({found.low:+.3f}..{found.high:+.3f})"
