"""Small data of every task in the published form: same files, same field names, contents made up here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evals.fog.make import make_fog
from evals.fog.settings import FogSettings
from evals.fog.writing import write_documents, write_items
from evals.loaders.obfuscation import Canary
from tests.store.documents import a_pdf

CANARY = "A CANARY OF OUR OWN. GUID 00000000-test"


def write_lines(path: Path, *rows: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def write_value(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1), encoding="utf-8")
    return path


def write_parquet(path: Path, *rows: dict[str, Any]) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows)), path)
    return path


def hidden(value: Any, *, canary: str = CANARY) -> Any:
    """As the data set hides it: every string but the query id, at any depth."""
    if isinstance(value, str):
        return Canary(canary).hide(value)
    if isinstance(value, list):
        return [hidden(entry, canary=canary) for entry in value]
    if isinstance(value, dict):
        return {key: entry if key == "query_id" else hidden(entry, canary=canary) for key, entry in value.items()}
    return value


def a_browsecomp_row(query_id: str, answer: str = "Ada Lovelace") -> dict[str, Any]:
    return {
        "query_id": query_id,
        "query": "Which countess wrote the first programme, né 1815?",
        "answer": answer,
        "gold_docs": [{"docid": "11", "text": "Ada ...", "url": "https://a.example/ada"}],
        "evidence_docs": [
            {"docid": "11", "text": "Ada ...", "url": "https://a.example/ada"},
            {"docid": "12", "text": "Byron ...", "url": "https://a.example/byron"},
        ],
        "negative_docs": [{"docid": "13", "text": "no", "url": "https://a.example/no"}],
    }


def browsecomp_plus(folder: Path) -> None:
    rows = [hidden(a_browsecomp_row(number)) for number in ("23", "1265", "24")]
    write_parquet(folder / "questions" / "data" / "test-00000-of-00001.parquet", *rows)
    (folder / "canary.txt").write_text(CANARY + "\n")
    long = "---\ntitle: Ada Lovelace\ndate: 1843\n---\n" + "word " * 600
    write_parquet(
        folder / "corpus" / "data" / "train-00000-of-00001.parquet",
        {"docid": "11", "text": long, "url": "https://a.example/ada"},
        {"docid": "12", "text": "Byron was a poet.", "url": "https://a.example/byron"},
    )


def trec_biogen(folder: Path) -> None:
    topics = [
        {
            "id": 116,
            "topic": "vitamin D",
            "question": "What does a lack of vitamin D do?",
            "narrative": "A patient asks.",
        },
        {"id": 117, "topic": "zinc", "question": "Does zinc shorten colds?", "narrative": "A doctor asks."},
    ]
    write_value(folder / "BioGen2024topics-json.txt", {"topics": topics})
    citation = {"cited_pmid": "21824858", "evidence_support": "...", "evidence_relation": "supporting"}
    against = {"cited_pmid": "9", "evidence_support": "...", "evidence_relation": "contradicting"}
    answers = {
        "M1": {
            "answer": "It weakens bones [21824858, 23609564]. It may cause falls [7].",
            "is_answer_accurate": "yes",
            "answer_sentences": [
                {"answer_sentence_id": "1", "answer_sentence": "It weakens bones.", "citation_assessment": [citation]},
                {"answer_sentence_id": "2", "answer_sentence": "It may.", "citation_assessment": None},
            ],
        },
        "M2": {
            "answer": "Nothing at all.",
            "is_answer_accurate": "no",
            "answer_sentences": [
                {"answer_sentence_id": "1", "answer_sentence": "Nothing.", "citation_assessment": [against, citation]}
            ],
        },
    }
    judged = {
        "question_id": "116",
        "question": topics[0]["question"],
        "expert_curated_answer": "Rickets, osteomalacia and muscle weakness [1].",
        "machine_generated_answers": answers,
    }
    write_value(folder / "biogen_2024_submissions.json", [judged])
    write_lines(
        folder / "corpus" / "pubmed.jsonl",
        {"id": "21824858", "contents": "[Consequences of vitamin D deficiency].\nVitamin D is made in the skin."},
        {"id": "7", "contents": "Falls.\n" + "Falls are common. " * 200},
        {"id": "8", "contents": ""},
    )


def a_financebench_row(number: int, doc_name: str, *evidence: tuple[str, int]) -> dict[str, Any]:
    return {
        "financebench_id": f"financebench_id_{number:05}",
        "company": "Acme",
        "doc_name": doc_name,
        "question_type": "metrics-generated",
        "question_reasoning": "Information extraction",
        "domain_question_num": None,
        "question": "What was Acme's capital expenditure in FY2022?",
        "answer": "$1577.00",
        "justification": "Taken from the cash flow statement.",
        "dataset_subset_label": "OPEN_SOURCE",
        "evidence": [
            {
                "evidence_text": text,
                "doc_name": doc_name,
                "evidence_page_num": page,
                "evidence_text_full_page": text,
            }
            for text, page in evidence
        ],
    }


def financebench(folder: Path) -> None:
    (folder / "pdfs").mkdir(parents=True)
    pages = ["Cover of Acme", "Purchases of property, plant and equip-ment were $1,577 million", "Debts of Acme"]
    (folder / "pdfs" / "ACME_2022_10K.pdf").write_bytes(a_pdf(pages))
    write_lines(
        folder / "financebench_merged.jsonl",
        a_financebench_row(1, "ACME_2022_10K", ("Purchases of property, plant\nand equipment were $ 1,577 million", 1)),
        a_financebench_row(2, "ACME_2022_10K", ("Debts of Acme", 0), ("Cover of Acme", 0)),
        a_financebench_row(3, "BOLT_2022_10K", ("Nothing", 0)),
    )


def qampari(folder: Path) -> None:
    proof = {"proof_text": "Ada wrote it.", "found_in_url": "https://en.wikipedia.org/wiki/Ada_Lovelace", "pid": "p1"}
    answers = [
        {"answer_text": "Ada Lovelace", "aid": "a1", "aliases": ["Ada Lovelace", "Ada King"], "proof": [proof]},
        {
            "answer_text": "Zoë",
            "aid": "a2",
            "aliases": ["Zoë"],
            "answer_url": "https://en.wikipedia.org/wiki/Zo%C3%AB",
            "proof": [],
        },
    ]
    write_lines(
        folder / "test_data.jsonl",
        {
            "qid": "12__wikidata_simple__test",
            "question_text": "Who wrote programmes?",
            "answer_list": answers,
            "entities": [],
        },
    )
    sentence = "Ada wrote the first programme for the engine of Mr. Babbage in London. "
    write_lines(
        folder / "wikipedia" / "wiki_00.jsonl",
        {"id": "1", "url": "https://en.wikipedia.org/wiki?curid=1", "title": "Ada Lovelace", "text": sentence * 20},
        {"id": "2", "url": "https://en.wikipedia.org/wiki?curid=2", "title": "Zoë", "text": "Zoë sings."},
        {"id": "3", "url": "https://en.wikipedia.org/wiki?curid=3", "title": "Bolt", "text": "A bolt holds."},
    )


def a_freshstack_row(query_id: str, nuggets: int = 3) -> dict[str, Any]:
    return {
        "query_id": query_id,
        "query_title": "How do I stream?",
        "query_text": "I call invoke and get it all at once.",
        "nuggets": [
            {
                "_id": f"{query_id}_nugget_{n}",
                "text": f"Fact {n}.",
                "relevant_corpus_ids": ["langchain/docs/a.md_0_90", f"langchain/docs/b{n}.md_0_90"],
                "non_relevant_corpus_ids": ["langchain/docs/z.md_0_9"],
            }
            for n in range(nuggets)
        ],
        "answer_id": "9",
        "answer_text": "Use stream.",
        "metadata": {"date": "2024-01-01", "tags": ["langchain"]},
    }


def freshstack(folder: Path) -> None:
    write_parquet(folder / "queries" / "langchain" / "test-00000-of-00001.parquet", a_freshstack_row("771"))
    write_parquet(folder / "queries" / "yolo" / "test-00000-of-00001.parquet", a_freshstack_row("772", 1))
    write_parquet(
        folder / "corpus" / "langchain" / "train-00000-of-00001.parquet",
        {"_id": "langchain/docs/a.md_0_90", "text": "def stream():\n    ...\n" * 300, "metadata": {"url": "u"}},
        {"_id": "langchain/docs/b0.md_0_90", "text": "Use stream to get tokens.", "metadata": {"url": "u"}},
    )


def pmbench(folder: Path) -> None:
    (folder / "notes" / "team").mkdir(parents=True)
    (folder / "notes" / "team" / "mira.md").write_text("# Mira\n\nMira asked for dark mode. " + "more " * 3000)
    (folder / "notes" / "plan.txt").write_text("The plan is to ship in May.")
    (folder / "notes" / "photo.png").write_bytes(b"\x89PNG")
    write_lines(
        folder / "questions.jsonl",
        {
            "id": "q1",
            "question": "What did Mira ask for?",
            "answer": "Dark mode.",
            "nuggets": ["Mira asked for dark mode", {"text": "The plan is to ship in May", "aliases": ["May"]}],
            "gold": ["team/mira.md"],
        },
    )


def fogbench(folder: Path) -> None:
    fog = make_fog(FogSettings(size=40, questions=1, seed=1))
    write_documents(fog, folder / "documents")
    write_items(fog, folder / "items.jsonl")


DATA: dict[str, Callable[[Path], None]] = {
    "browsecomp_plus": browsecomp_plus,
    "trec_biogen": trec_biogen,
    "financebench": financebench,
    "qampari": qampari,
    "freshstack": freshstack,
    "pmbench": pmbench,
    "fogbench": fogbench,
}
