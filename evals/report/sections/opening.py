"""What a reader has to know before any figure: what was measured, by whom it was judged, and what falls short."""

from __future__ import annotations

from collections.abc import Iterator

from evals.report.blocks import Block, Bullets, Heading, Paragraph
from evals.report.document import EvaluationDocument
from evals.report.joined import Column, Joined
from evals.report.text import UNKNOWN, counted, listed, sentence, short, words

FEW = 30  # questions; fewer make wide intervals
LEGEND = (
    "Scores are shares in percent: of the facts of the reference that an answer supports in full, or of right answers "
    "where the reference is a single fact. In brackets: 95% bootstrap intervals over questions."
)
RULE = "rule"  # name of the judge that is none


def opening(joined: Joined) -> list[Block]:
    made = [_made(document) for document in joined.documents]
    notes = list(dict.fromkeys(_notes(joined)))
    found: list[Block] = [Bullets(tuple(made)), Paragraph(LEGEND)]
    if notes:
        found += [Heading("Read this first"), Bullets(tuple(notes), warning=True)]
    return found


def title(joined: Joined) -> str:
    return f"Evaluation of {listed([column.label for column in joined.columns])}"


def judge_name(document: EvaluationDocument) -> str:
    judge = document.settings.judge
    return judge.name + (f" (prompt {short(judge.prompt_sha256)})" if judge.prompt_sha256 else "")


def _made(document: EvaluationDocument) -> str:
    settings = document.settings
    temperature = "the graph's or endpoint's own" if settings.temperature is None else f"{settings.temperature:g}"
    return (
        f"Evaluation {document.sha256[:16]} of {settings.suite}, {document.date}, karl {document.karl}: "
        f"{counted(len(document.questions), 'question')}, {counted(settings.samples, 'generation')} each, temperature "
        f"{temperature}, seed {settings.seed}, judge {judge_name(document)}, right from a score of "
        f"{settings.threshold:g} on."
    )


def _notes(joined: Joined) -> Iterator[str]:
    yield from _uncomparable(joined)
    for document in joined.documents:
        where = f"{document.sha256[:8]}: " if len(joined.documents) > 1 else ""
        if document.settings.judge.name == RULE:
            yield (
                "The judge is a rule (normalised match of the reference's facts). It knows no paraphrase: its scores "
                "are not comparable with a language model's."
            )
        for task in document.tasks:
            if not task.complete:
                yield f"{where}{task.title} was not asked in full ({counted(task.questions, 'question')})."
            elif task.questions < FEW:
                yield f"{where}{task.title} has {counted(task.questions, 'question')}: its intervals are wide."
            yield from (f"{where}{task.title}: {sentence(note)}" for note in task.notes)
        yield from (f"{where}{sentence(note)}" for note in document.notes)
    yield from (note for column in joined.columns for note in _shortfalls(column))


def _uncomparable(joined: Joined) -> Iterator[str]:
    for pair in joined.pairs:
        if pair.entry is None:
            yield f"{pair.first.label} and {pair.second.label} stand side by side, not compared: {pair.why}."
        elif len(pair.tasks) < len({*pair.first.result.figures.tasks, *pair.second.result.figures.tasks}):
            yield (
                f"{pair.first.label} and {pair.second.label} are compared over the same items only: "
                f"{listed([joined.title(name) for name in pair.tasks])}."
            )
    yield from _differing(joined)


def _differing(joined: Joined) -> Iterator[str]:
    """Settings under which scores may differ although the items are the same."""
    settings = [document.settings for document in joined.documents]
    for name in ("samples", "temperature", "threshold", "limit"):
        values = {getattr(one, name) for one in settings}
        if len(values) > 1:
            shown = ", ".join(UNKNOWN if value is None else f"{value:g}" for value in sorted(values, key=str))
            yield f"The evaluations differ in {name}: {shown}."
    machines = {document.machine for document in joined.documents}
    if len(machines) > 1:
        shown = listed(sorted(machine or "a machine that is not named" for machine in machines))
        yield f"Times were taken on machines that differ, and compare with care: {shown}."
    for task in joined.tasks:
        corpora = {one.corpus.sha256 for document in joined.documents for one in document.tasks if one.name == task}
        embedders = {one.corpus.embedder for document in joined.documents for one in document.tasks if one.name == task}
        if len(corpora) > 1 or len(embedders) > 1:
            yield f"{joined.title(task)} was searched in corpora that differ in content or embedder."


def _lost_splits(column: Column) -> Iterator[tuple[str, list[str]]]:
    """task -> splits that were asked, and that no generation has a score of; of tasks that have one."""
    for name, own in column.result.figures.tasks.items():
        asked = dict.fromkeys(question.split for question in column.questions([name]))
        lost = [words(split) for split in asked if split not in own.splits]
        if lost and own.score is not None:
            yield name, lost


def _shortfalls(column: Column) -> Iterator[str]:
    """Of one system: what its figures leave out."""
    figures = column.result.figures
    missing = [name for name, own in figures.tasks.items() if own.score is None]
    if missing:
        yield f"{column.label} has no score at all on {listed(missing)}, and therefore no overall score."
    for name, lost in _lost_splits(column):
        yield (
            f"{column.label} on {name}: {listed(lost)} without any score: its mean is one of the other splits, and "
            "compares with no other system's."
        )
    for name, own in figures.tasks.items():
        gone = own.failed + own.unjudged
        if gone:
            yield (
                f"{column.label} on {name}: {gone} of {counted(own.generations, 'generation')} have no score "
                f"({own.failed} failed, {own.unjudged} unjudged) and are left out of its means."
            )
    if figures.cost.usd_per_query is None and figures.cost.unpriced:
        yield f"{column.label}: no price is known of {listed(figures.cost.unpriced)}; its cost in USD is left out."
    elif figures.cost.usd_per_query is None:
        yield f"{column.label}: not all of its tokens were counted; its cost in USD is left out."
