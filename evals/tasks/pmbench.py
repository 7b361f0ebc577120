"""PMBench: lists of facts over internal notes. The published set is private; bring your own notes in the same shape."""

from __future__ import annotations

from collections.abc import Iterator

from evals.corpora.document import CorpusDocument
from evals.items import EvalItem, Nugget
from evals.loaders.files import existing_folder, find_file
from evals.loaders.notes import read_notes
from evals.loaders.rows import Row, as_row, read_rows
from evals.tasks.base import Task
from evals.tasks.reading import Reading
from evals.tasks.spec import Expected, HandSource, Metric, Split, TaskSpec
from store.chunking.policy import task_chunking

SPEC = TaskSpec(
    name="pmbench",
    title="PMBench",
    regime="fact lists over internal notes",
    by_hand=(HandSource(where="your own notes and questions", files=("notes/**", "questions.jsonl")),),
    licence="yours: the published set is private",
    chunking=task_chunking("pmbench"),
    embedder="Alibaba-NLP/gte-large-en-v1.5",
    k=10,
    prompt="solver_report",
    guidance=(
        "The reference was gathered from internal notes. Every request, concern, decision, owner, customer and date "
        "is a fact of its own; say who it is of and which product it is about."
    ),
    metric=Metric.NUGGETS,
    splits=(Split(name="evaluation", questions=57),),
    expected=Expected(questions=57, chunks=3_395, nuggets=10.5),
)


def items(reading: Reading) -> Iterator[EvalItem]:
    """Lines of {"id", "question", "answer", "nuggets", "gold"}; the last two may be missing."""
    for row in read_rows(find_file(reading.folder, ("questions.jsonl", "questions.json"), what="questions")):
        yield EvalItem(
            key=row.text("id"),
            question=row.text("question"),
            reference=row.text("answer"),
            nuggets=tuple(_nuggets(row)),
            gold=tuple(row.texts("gold", optional=True)),
            split="evaluation",
            kind=row.text("kind", default="", empty=True),
        )


def _nuggets(row: Row) -> Iterator[Nugget]:
    """Plain strings, or objects with `text` and `aliases`."""
    for number, value in enumerate(row.listed("nuggets", optional=True)):
        if isinstance(value, str):
            if not value.strip():
                raise row.fail(f"nuggets[{number}]", "is empty")
            yield Nugget(text=value.strip())
        else:
            fact = as_row(value, f"{row.where}: nuggets[{number}]")
            yield Nugget(text=fact.text("text"), aliases=tuple(fact.texts("aliases", optional=True)))


def documents(reading: Reading) -> Iterator[CorpusDocument]:
    for note in read_notes(existing_folder(reading.folder / "notes")):
        if note.error:
            reading.leave_out(note.path, note.error)
        else:
            text = reading.tokens.first(note.text, reading.spec.chunking.size or 0)
            yield CorpusDocument(note.path, text, note.title)


TASK = Task(SPEC, items, documents)
