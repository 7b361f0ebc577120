"""Retrieval figures over a small corpus of PDFs, and over the sample filings where they are at hand."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from evals.bench_frame import Target
from evals.retrieval import RetrievalQuestion, evidence_share, load_questions, page_found, retrieval_figures
from store.corpus import ingest
from store.errors import UsageError
from store.session import Store
from store.types import Hit
from tests.store.documents import a_pdf

SHARED = Path(os.environ.get("KARL_SHARED", Path(__file__).parents[2].parent / "shared")) / "data" / "financebench"


def a_question(question: str, doc_name: str, *pages: int) -> dict[str, object]:
    return {
        "question": question,
        "doc_name": doc_name,
        "answer": "not read",
        "evidence": [{"evidence_page_num": page, "evidence_text": "not read"} for page in pages],
    }


def a_hit(key: str, page: int) -> Hit:
    return Hit(1, key, "", "", 1.0, page=page)


@pytest.fixture
def filings(tmp_path: Path) -> tuple[Store, Path]:
    folder = tmp_path / "pdfs" / "2022"
    folder.mkdir(parents=True)
    (folder / "ACME_2022.pdf").write_bytes(a_pdf(["cover of Acme", "Acme revenue was twelve", "Acme debts"]))
    (folder / "BOLT_2022.pdf").write_bytes(a_pdf(["cover of Bolt", "Bolt revenue was nine"]))
    store = Store.open(f"sqlite:///{tmp_path}/k.db")
    ingest(store, tmp_path / "pdfs", name="fb")
    return store, tmp_path


def write_lines(path: Path, *values: object) -> Path:
    path.write_text("\n".join(json.dumps(value) for value in values))
    return path


def test_recalls_are_right(filings: tuple[Store, Path]) -> None:
    store, home = filings
    questions = write_lines(
        home / "q.jsonl",
        a_question("Acme revenue twelve", "ACME_2022", 1),
        a_question("Bolt revenue nine", "BOLT_2022", 0),
        a_question("Acme debts", "ACME_2022", 2, 0),
        a_question("Cisco?", "CISCO_2022", 0),
    )
    report = retrieval_figures(store, "fb", questions=questions, home=home, ks=(1, 3))
    figures = report["figures"]
    assert {key: figures[key] for key in ("questions", "left_out", "documents", "chunks")} == {
        "questions": 3,
        "left_out": 1,
        "documents": 2,
        "chunks": 5,
    }
    assert list(figures["recall"]) == ["bm25"]
    means = {
        level: {k: value["mean"] for k, value in figures["recall"]["bm25"][level].items()}
        for level in ("document", "page", "evidence")
    }
    assert means["document"] == {"recall@1": 1.0, "recall@3": 1.0}
    assert means["page"] == {"recall@1": pytest.approx(2 / 3, abs=1e-4), "recall@3": 1.0}
    assert means["evidence"]["recall@1"] == pytest.approx(0.5, abs=1e-4)
    assert set(report) == {
        *("name", "date", "commit", "machine", "seconds", "seed", "figures", "compared", "targets"),
    }
    assert json.loads(json.dumps(report)) == report


def test_a_page_of_another_document_is_no_evidence() -> None:
    question = RetrievalQuestion.model_validate(a_question("?", "ACME", 4, 6))
    assert page_found(question, [a_hit("x/BOLT.pdf#4", 5)]) == 0.0
    assert page_found(question, [a_hit("x/ACME.pdf#4", 5)]) == 1.0
    assert evidence_share(question, [a_hit("x/ACME.pdf#4", 5), a_hit("x/ACME.pdf#5", 6)]) == 0.5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"q.jsonl:1: not JSON"),
        ('{"question": "x", "evidence": []}', r"q.jsonl:1: doc_name: Field required"),
        ("[]", r"q.jsonl:1: line: "),
        ("\n", r"no questions"),
        (None, r"cannot read the questions"),
        ("\udcff", r"no JSONL: byte 0 is no UTF-8"),
    ],
)
def test_bad_questions_name_file_line_and_key(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "q.jsonl").write_text(content, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(UsageError, match=message):
        load_questions(tmp_path / "q.jsonl")


def test_questions_about_other_documents_are_refused(filings: tuple[Store, Path]) -> None:
    store, home = filings
    questions = write_lines(home / "q.jsonl", a_question("Cisco?", "CISCO_2022", 0))
    with pytest.raises(UsageError, match="no question is about a document"):
        retrieval_figures(store, "fb", questions=questions, home=home)


def test_targets_say_whether_they_hold() -> None:
    assert Target("x", 0.5, ">=", 0.6).as_dict()["ok"] is False
    assert Target("x", 0.5, "<=", 0.6).as_dict() == {"key": "x", "value": 0.5, "op": "<=", "target": 0.6, "ok": True}


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no sample filings at {SHARED}; set KARL_SHARED")
def test_the_sample_filings_ingest_without_a_failure(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/k.db")
    report = ingest(store, SHARED / "pdfs", name="fb")
    assert (report.documents, report.chunks, report.skipped, report.problems) == (10, 901, [], [])
    figures = retrieval_figures(store, "fb", questions=SHARED / "questions.jsonl", home=tmp_path)["figures"]
    assert figures["questions"] == 30
    assert figures["recall"]["bm25"]["document"]["recall@20"]["mean"] == 1.0
    assert figures["recall"]["bm25"]["page"]["recall@20"]["mean"] >= 0.6
