"""QAMPARI: every entity that a question asks for, from Wikipedia."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evals.corpora.document import CorpusDocument
from evals.items import EvalItem, Nugget
from evals.loaders.files import find_file, find_files
from evals.loaders.rows import Row, read_rows
from evals.loaders.wikipedia import page_name
from evals.tasks.base import Task
from evals.tasks.reading import Reading
from evals.tasks.spec import Expected, HandSource, Metric, Split, TaskSpec
from store.chunking.policy import task_chunking
from store.chunking.sentences import sentence_windows

SPEC = TaskSpec(
    name="qampari",
    title="QAMPARI",
    regime="exhaustive entity lists",
    by_hand=(
        HandSource(where="qampari.zip of samsam3232.github.io/qampari, unpacked", files=("test_data.jsonl",)),
        HandSource(where="Wikipedia pages as JSONL with url, title, text", files=("wikipedia/*.jsonl",)),
    ),
    licence="questions: none is stated by their authors; Wikipedia: CC BY-SA",
    chunking=task_chunking("qampari"),
    metric=Metric.ENTITIES,
    splits=(Split(name="evaluation", questions=1000),),
    expected=Expected(questions=1000, chunks=256_680, nuggets=14.7),
)
QUESTIONS = ("**/test_data.jsonl*", "**/*test*.jsonl*")
# The id names how the question was made: `12__wikidata_simple__test`.
_KIND = re.compile(r"_(wiki[a-z]+_[a-z]+)_")
PAGES = ("wikipedia/**/*.jsonl*", "wikipedia/**/*.parquet", "corpus/**/*.jsonl*")


def _questions(reading: Reading) -> Iterator[Row]:
    yield from read_rows(find_file(reading.folder, QUESTIONS, what="questions of QAMPARI"))


def items(reading: Reading) -> Iterator[EvalItem]:
    for row in _questions(reading):
        answers = row.rows("answer_list")
        if not answers:
            reading.leave_out(row.text("qid"), "it has no answers")
            continue
        nuggets = tuple(_nugget(answer) for answer in answers)
        yield EvalItem(
            key=row.text("qid"),
            question=row.text("question_text"),
            reference=", ".join(nugget.text for nugget in nuggets),
            nuggets=nuggets,
            gold=tuple(dict.fromkeys(name for answer in answers for name in _proof_pages(answer))),
            split="evaluation",
            kind=kind[1] if (kind := _KIND.search(row.text("qid"))) else "",
        )


def _nugget(answer: Row) -> Nugget:
    name = answer.text("answer_text")
    others = (alias for alias in answer.texts("aliases", optional=True) if alias != name)
    return Nugget(text=name, aliases=tuple(dict.fromkeys(others)))


def _proof_pages(answer: Row) -> list[str]:
    found = [proof.text("found_in_url", default="", empty=True) for proof in answer.rows("proof", optional=True)]
    return [name for url in found if (name := page_name(url))]


def _gold_pages(reading: Reading) -> set[str]:
    """Pages with at least one gold entity: those that prove an answer, and the answers' own."""
    answers = [answer for row in _questions(reading) for answer in row.rows("answer_list")]
    own = [answer.text(key, default="", empty=True) for answer in answers for key in ("answer_url", "answer_text")]
    return {name for answer in answers for name in _proof_pages(answer)} | {page_name(name) for name in own if name}


def documents(reading: Reading) -> Iterator[CorpusDocument]:
    """Windows of whole sentences, `title#number` from 1."""
    wanted = _gold_pages(reading)
    for path in find_files(reading.folder, PAGES, what="Wikipedia pages"):
        for row in read_rows(path):
            names = {page_name(row.text(key, default="", empty=True)) for key in ("title", "url")} - {""}
            if not names & wanted:
                reading.notes["pages without a gold entity"] += 1
                continue
            title = page_name(row.text("title"))
            windows = sentence_windows(row.text("text", empty=True), words=reading.spec.chunking.size or 0)
            yield from (CorpusDocument(f"{title}#{n}", text, title) for n, text in enumerate(windows, start=1))


TASK = Task(SPEC, items, documents)
