"""BrowseComp-Plus: find the one entity that meets many conditions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evals.corpora.document import CorpusDocument
from evals.items import EvalItem, Nugget
from evals.loaders.files import find_files
from evals.loaders.obfuscation import MEND, Canary, find_canary, is_hidden
from evals.loaders.rows import Row, read_rows
from evals.tasks.base import Task
from evals.tasks.calibrated import CALIBRATED
from evals.tasks.reading import Reading
from evals.tasks.spec import Expected, HubSource, Metric, Split, TaskSpec
from store.chunking.policy import task_chunking

SPEC = TaskSpec(
    name="browsecomp_plus",
    title="BrowseComp-Plus",
    regime="constraint-driven entity search",
    hub=(
        HubSource(dataset="Tevatron/browsecomp-plus", include=("data/*.parquet",), into="questions"),
        HubSource(dataset="Tevatron/browsecomp-plus-corpus", include=("data/*.parquet",), into="corpus"),
    ),
    licence="as on the data sets' cards; pages belong to their publishers. Keep the questions off the open web.",
    chunking=task_chunking("browsecomp_plus"),
    embedder="Qwen/Qwen3-Embedding-8B",
    steps=200,
    metric=Metric.BINARY,
    trained=True,
    splits=(
        Split(name="evaluation", questions=230),
        Split(name="synthesis", questions=600, purpose="synthesis"),
    ),
    expected=Expected(questions=830, chunks=100_195, nuggets=1),
)
QUESTIONS = ("questions/**/*.parquet", "questions/**/*.jsonl", "*decrypted*.jsonl", "data/test-*.parquet")
CORPUS = ("corpus/**/*.parquet", "corpus/**/*.jsonl", "*corpus*.jsonl", "data/train-*.parquet")
_TITLE = re.compile(r"\A---\n(?:.*\n){0,9}?title:[ \t]*(.+)\n")


def items(reading: Reading) -> Iterator[EvalItem]:
    """Obfuscated rows need the canary; rows that the data set's own script wrote are read as they are."""
    canary = find_canary(reading.folder, given=reading.canary)
    for path in find_files(reading.folder, QUESTIONS, what="questions of BrowseComp-Plus"):
        for row in read_rows(path, skip=("text", "url")):
            key = row.text("query_id")
            split = "evaluation" if key in CALIBRATED else "synthesis"
            if reading.wants(split):
                yield _item(row, key, split, canary)


def _item(row: Row, key: str, split: str, canary: Canary | None) -> EvalItem:
    shown = canary if is_hidden(row.text("query")) else None
    if shown is None and is_hidden(row.text("query")):
        raise row.fail("query", f"is obfuscated, and no canary is there to show it; {MEND}")

    def text(of: Row, name: str) -> str:
        return shown.show(of.text(name), where=f"{of.where}: {name}") if shown else of.text(name)

    # The question first: it is long enough to tell a wrong canary.
    question, answer = text(row, "query"), text(row, "answer")
    documents = [*row.rows("gold_docs", optional=True), *row.rows("evidence_docs", optional=True)]
    return EvalItem(
        key=key,
        question=question,
        reference=answer,
        nuggets=(Nugget(text=answer),),
        gold=tuple(dict.fromkeys(text(document, "docid") for document in documents)),
        split=split,
    )


def documents(reading: Reading) -> Iterator[CorpusDocument]:
    for path in find_files(reading.folder, CORPUS, what="corpus of BrowseComp-Plus"):
        for row in read_rows(path):
            text = row.text("text", empty=True)
            title = _TITLE.match(text)
            named = title[1].strip() if title else row.text("url", default="", empty=True)
            yield CorpusDocument(row.text("docid"), reading.tokens.first(text, reading.spec.chunking.size or 0), named)


TASK = Task(SPEC, items, documents)
