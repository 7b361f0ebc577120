"""FinanceBench: figures from long filings, often worked out from tables."""

from __future__ import annotations

from collections.abc import Iterator

from evals.items import EvalItem, Nugget
from evals.loaders.evidence import find_evidence
from evals.loaders.files import find_file
from evals.loaders.pages import PdfFolder
from evals.loaders.rows import Row, read_rows
from evals.tasks.base import Task
from evals.tasks.reading import Reading
from evals.tasks.spec import Expected, HandSource, HubSource, Metric, Split, TaskSpec
from store.chunking.policy import task_chunking

SPEC = TaskSpec(
    name="financebench",
    title="FinanceBench",
    regime="long filings, tabular arithmetic",
    hub=(HubSource(dataset="PatronusAI/financebench", include=("*.jsonl",)),),
    by_hand=(HandSource(where="PDFs of github.com/patronus-ai/financebench", files=("pdfs/*.pdf",)),),
    licence="CC BY-NC 4.0: not for commercial use",
    chunking=task_chunking("financebench"),
    metric=Metric.NUMERIC,
    splits=(Split(name="evaluation", questions=150),),
    expected=Expected(questions=150, chunks=53_399, nuggets=1),
)
QUESTIONS = ("financebench_merged.jsonl", "**/financebench_open_source.jsonl", "questions.jsonl")


def items(reading: Reading) -> Iterator[EvalItem]:
    """Questions about filings that are in the folder; evidence is looked for in the filing's own text."""
    path = find_file(reading.folder, QUESTIONS, what="questions of FinanceBench")
    with PdfFolder(reading.folder / "pdfs") as filings:
        for row in read_rows(path):
            pages = filings.pages(row.text("doc_name"))
            if pages is None:
                reading.leave_out(row.text("financebench_id"), f"no pdfs/{row.text('doc_name')}.pdf")
                continue
            yield EvalItem(
                key=row.text("financebench_id"),
                question=row.text("question"),
                reference=row.text("answer"),
                nuggets=(Nugget(text=row.text("answer")),),
                gold=tuple(dict.fromkeys(_gold(row, filings, reading))),
                split="evaluation",
                kind=row.text("question_type", default=""),
            )


def _gold(row: Row, filings: PdfFolder, reading: Reading) -> Iterator[str]:
    """Keys of the pages that hold the evidence; how each was found is counted."""
    for evidence in row.rows("evidence"):
        pages = filings.pages(evidence.text("doc_name", default=row.text("doc_name")))
        # Published numbers count from 0.
        hint = evidence.whole("evidence_page_num") + 1
        text = evidence.text("evidence_text", empty=True)
        found = find_evidence(text, pages, hint=hint) if pages is not None else None
        reading.notes[f"evidence: {found.match if found else 'not found'}"] += 1
        reading.notes["evidence: on the published page"] += bool(found and hint in found.pages)
        if pages is not None and found:
            yield from (f"{pages.name}#{page}" for page in found.pages)


TASK = Task(SPEC, items, corpus_folder="pdfs")
