"""TREC 2024 BioGen: a report on a biomedical question from many abstracts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evals.corpora.document import CorpusDocument
from evals.items import EvalItem
from evals.loaders.files import find_file, find_files
from evals.loaders.rows import Row, read_rows
from evals.tasks.base import Task
from evals.tasks.reading import Reading
from evals.tasks.spec import Expected, HandSource, Metric, Split, TaskSpec
from store.chunking.policy import task_chunking

SPEC = TaskSpec(
    name="trec_biogen",
    title="TREC-Biogen 2024",
    regime="cross-document report synthesis",
    by_hand=(
        HandSource(where="topics of the track (trec-biogen.github.io)", files=("BioGen2024topics-json.txt",)),
        HandSource(where="judged answers of the track", files=("biogen_2024_submissions.json",)),
        HandSource(where="PubMed snapshot of the track, as JSONL with id and contents", files=("corpus/*.jsonl",)),
    ),
    licence="topics and judgements: NIST, for research; abstracts: terms of the National Library of Medicine",
    chunking=task_chunking("trec_biogen"),
    prompt="solver_report",
    guidance=(
        "The references are answers to a biomedical question. A fact is a finding, recommendation, mechanism, effect, "
        "risk or number that a clinician or patient needs for the answer, with its population, dose, duration and "
        "certainty ('may', 'in one trial') where the reference gives them. Leave out what only says that studies exist "
        "or more are needed, and document ids."
    ),
    metric=Metric.NUGGETS,
    trained=True,
    splits=(Split(name="evaluation", questions=65),),
    expected=Expected(questions=65, chunks=26_805_982, nuggets=7.1, nuggets_published=False),
)
TOPICS = ("BioGen2024topics*", "*topics*.json*", "*topics*.txt")
ANSWERS = (
    *("biogen_2024_submissions*.json*", "biogen_collection*.json*"),
    *("*submissions*.json*", "*references*.json*", "*nuggets*.json*"),
)
CORPUS = ("corpus/**/*.jsonl*", "corpus/**/*.parquet", "*abstracts*.jsonl*", "*abstracts*.txt*")
_CITATIONS = re.compile(r"\s*\[\s*(?:PMID:?\s*)?\d+(?:\s*[,;]\s*(?:PMID:?\s*)?\d+)*\s*\]")


def items(reading: Reading) -> Iterator[EvalItem]:
    """References are the expert's answer, where there is one, and every submitted answer that was judged accurate."""
    path = find_file(reading.folder, ANSWERS, what="judged answers of TREC BioGen 2024")
    judged = {row.text("question_id"): row for row in read_rows(path)}
    for row in read_rows(find_file(reading.folder, TOPICS, what="topics of TREC BioGen 2024"), under="topics"):
        key = row.text("id")
        references = _references(judged[key]) if key in judged else ()
        if not references:
            reading.leave_out(key, f"no answer that was judged accurate in {path.name}")
            continue
        yield EvalItem(
            key=key,
            question=row.text("question"),
            reference=references[0],
            references=references,
            gold=tuple(dict.fromkeys(_supporting(judged[key]))),
            split="evaluation",
            kind=row.text("topic", default="", empty=True),
        )


def _answers(row: Row) -> list[Row]:
    """The field is an object, run -> answer."""
    answers = row.values.get("machine_generated_answers") or {}
    if not isinstance(answers, dict):
        raise row.fail("machine_generated_answers", "an object of answers by run is needed")
    return [Row(f"{row.where}: machine_generated_answers.{run}", values) for run, values in answers.items()]


def _references(row: Row) -> tuple[str, ...]:
    expert = [row.text("expert_curated_answer", default="", empty=True)]
    accurate = [a.text("answer") for a in _answers(row) if a.text("is_answer_accurate", default="").lower() == "yes"]
    plain = [_CITATIONS.sub("", text).strip() for text in [*expert, *accurate]]
    return tuple(dict.fromkeys(text for text in plain if text))


def _supporting(row: Row) -> Iterator[str]:
    """PubMed ids that an assessor found to support a sentence."""
    for answer in _answers(row):
        for sentence in answer.rows("answer_sentences", optional=True):
            for citation in sentence.rows("citation_assessment", optional=True):
                if citation.text("evidence_relation", default="") == "supporting":
                    yield citation.text("cited_pmid")


def documents(reading: Reading) -> Iterator[CorpusDocument]:
    """Title and abstract stand together in `contents`; the title is its first line."""
    for path in find_files(reading.folder, CORPUS, what="PubMed abstracts"):
        for row in read_rows(path):
            text = row.text("contents", empty=True)
            yield CorpusDocument(row.text("id"), text, text.partition("\n")[0][:300])


TASK = Task(SPEC, items, documents)
