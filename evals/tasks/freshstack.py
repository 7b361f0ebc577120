"""FreshStack: how to do something, from code and documentation."""

from __future__ import annotations

from collections.abc import Iterator

from evals.corpora.document import CorpusDocument
from evals.items import EvalItem, Nugget
from evals.loaders.files import find_files
from evals.loaders.rows import Row, read_rows
from evals.tasks.base import Task
from evals.tasks.reading import Reading
from evals.tasks.spec import Expected, HubSource, Metric, Split, TaskSpec
from store.chunking.policy import task_chunking

# The published table's 203 questions over 49,514 chunks are those of LangChain alone; the other domains load too.
SPEC = TaskSpec(
    name="freshstack",
    title="FreshStack",
    regime="procedural answers over technical documentation",
    hub=(
        HubSource(dataset="freshstack/queries-oct-2024", include=("*.parquet",), into="queries"),
        HubSource(dataset="freshstack/corpus-oct-2024", include=("*.parquet",), into="corpus"),
    ),
    licence="CC BY-SA 4.0; chunks of code keep the licence of their repository",
    chunking=task_chunking("freshstack"),
    k=10,
    prompt="solver_report",
    metric=Metric.NUGGETS,
    splits=(
        Split(name="langchain", questions=203, chunks=49_514),
        Split(name="yolo", questions=57, chunks=27_207, purpose="further"),
        Split(name="laravel", questions=184, chunks=52_351, purpose="further"),
        Split(name="angular", questions=129, chunks=117_288, purpose="further"),
        Split(name="godot", questions=99, chunks=25_482, purpose="further"),
    ),
    expected=Expected(questions=203, chunks=49_514, nuggets=3.1),
)


def _rows(reading: Reading, folder: str, domain: str) -> Iterator[Row]:
    patterns = (f"{folder}/**/{domain}/*.parquet", f"{folder}/**/{domain}/*.jsonl*", f"{folder}/**/{domain}.jsonl*")
    for path in find_files(reading.folder, patterns, what=f"{folder} of FreshStack's domain {domain}"):
        yield from read_rows(path)


def items(reading: Reading) -> Iterator[EvalItem]:
    for domain in reading.wanted_splits:
        for row in _rows(reading, "queries", domain):
            nuggets = row.rows("nuggets")
            gold = (key for nugget in nuggets for key in nugget.texts("relevant_corpus_ids", optional=True))
            title = row.text("query_title", default="", empty=True)
            yield EvalItem(
                key=row.text("query_id"),
                question=f"{title}\n\n{row.text('query_text')}".strip(),
                reference=row.text("answer_text"),
                nuggets=tuple(Nugget(text=nugget.text("text")) for nugget in nuggets),
                gold=tuple(dict.fromkeys(gold)),
                split=domain,
            )


def documents(reading: Reading) -> Iterator[CorpusDocument]:
    for domain in reading.wanted_splits:
        for row in _rows(reading, "corpus", domain):
            title = row.text("title", default="", empty=True)
            yield CorpusDocument(row.text("_id"), row.text("text", empty=True), title or row.text("_id"))


TASK = Task(SPEC, items, documents)
