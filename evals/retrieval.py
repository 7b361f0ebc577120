"""Single-shot retrieval: is the evidence among the first k hits? BM25, dense and hybrid side by side.

Questions are FinanceBench-style lines: question, doc_name, evidence[].evidence_page_num (zero-based). A document is
found when any of its pages is among the hits; a page when any page of evidence is; `evidence` is the share of pages.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from pydantic import BaseModel, ValidationError

from evals.bench_frame import Target, bench_report
from evals.statistics import interval
from store.corpus_settings import CorpusSettings, FusionWeights
from store.errors import UsageError
from store.jsonfile import json_lines
from store.queries import corpus_by_name, corpus_counts, documents
from store.search_servers import SearchServers
from store.session import Store
from store.types import Hit
from store.vectors.base import Progress, VectorIndex
from store.vectors.library import open_index

KS = (1, 5, 20)
EVIDENCE = 0.83  # of the questions have an evidence page among the deepest hits
WARM_UP = "total revenue of the fiscal year"


class Evidence(BaseModel, frozen=True, extra="ignore"):
    evidence_page_num: int  # zero-based, as in the published file


class RetrievalQuestion(BaseModel, frozen=True, extra="ignore"):
    """One line of the questions file; other keys of the data set are not read."""

    question: str
    doc_name: str
    evidence: list[Evidence]

    @property
    def pages(self) -> set[int]:
        """1-based, as in the store."""
        return {item.evidence_page_num + 1 for item in self.evidence}


def load_questions(path: Path) -> list[RetrievalQuestion]:
    """Raises: UsageError naming file, line and key."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as exc:
        raise UsageError(f"{path}: cannot read the questions: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise UsageError(f"{path}: no JSONL: byte {exc.start} is no UTF-8; give a file with a question a line") from exc
    questions = [_question(line, where=f"{path}:{number}") for number, line in json_lines(text)]
    if not questions:
        raise UsageError(f"{path}: no questions")
    return questions


def _question(line: str, *, where: str) -> RetrievalQuestion:
    try:
        return RetrievalQuestion.model_validate(json.loads(line))
    except json.JSONDecodeError as exc:
        raise UsageError(f"{where}: not JSON ({exc.msg})") from exc
    except ValidationError as exc:
        first = exc.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{where}: {key or 'line'}: {first['msg']}") from exc


def retrieval_figures(
    store: Store,
    corpus: str,
    *,
    questions: Path,
    home: str | Path,
    ks: Sequence[int] = KS,
    progress: Progress | None = None,
    servers: SearchServers | None = None,
) -> dict[str, Any]:
    """Recall@k with 95% intervals over questions, and milliseconds a query, per way of searching.

    Questions about documents that the corpus lacks are left out and counted. Without an embedder only BM25 is measured.
    Raises: UsageError for an unknown corpus, unreadable questions, or none about this corpus.
    """
    started = time.perf_counter()
    asked = load_questions(Path(questions))
    with closing(open_index(store, corpus, home=home, progress=progress, servers=servers)) as index:
        held, sizes, settings = _corpus_facts(store, corpus)
        known = [question for question in asked if question.doc_name in held]
        if not known:
            raise UsageError(f"{questions}: no question is about a document of corpus {corpus!r}")
        ways = _ways(index, settings)
        recall = {name: _measure(index, known, weights=weights, ks=ks) for name, weights in ways.items()}
        compared = _compared(index)
    if "dense" in recall:
        del recall["dense"]["milliseconds"]  # its questions were embedded by the hybrid search just before
    figures = {"questions": len(known), "left_out": len(asked) - len(known), **sizes, "recall": recall}
    return bench_report(
        "retrieval",
        figures=figures,
        compared=compared,
        targets=_targets(recall, ks=ks),
        seconds=time.perf_counter() - started,
        seed=0,
    )


def _corpus_facts(store: Store, corpus: str) -> tuple[set[str], dict[str, int], CorpusSettings]:
    """Names of its readable documents (without folder and extension), its size, its settings."""
    with store.session() as session:
        row = corpus_by_name(session, corpus)
        names = {_doc_name(document.path) for document in documents(session, row.id or 0) if document.error is None}
        return names, corpus_counts(session, row.id or 0)._asdict(), CorpusSettings.model_validate(row.settings)


def _doc_name(path: str) -> str:
    return PurePosixPath(path).stem


def _ways(index: VectorIndex, settings: CorpusSettings) -> dict[str, FusionWeights]:
    """Hybrid before dense: its time then includes embedding the question, which the index remembers afterwards."""
    ways = {"bm25": FusionWeights(bm25=1, dense=0)}
    if index.stats().vectors:
        ways |= {"hybrid": settings.fusion, "dense": FusionWeights(bm25=0, dense=1)}
    return ways


def _measure(
    index: VectorIndex, questions: Sequence[RetrievalQuestion], *, weights: FusionWeights, ks: Sequence[int]
) -> dict[str, Any]:
    index.search([WARM_UP], k=max(ks), fusion=weights)
    seconds: list[float] = []
    found: list[list[Hit]] = []
    for question in questions:
        start = time.perf_counter()
        found.extend(index.search([question.question], k=max(ks), fusion=weights))
        seconds.append(time.perf_counter() - start)
    scores: dict[str, Callable[[RetrievalQuestion, list[Hit]], float]] = {
        "document": document_found,
        "page": page_found,
        "evidence": evidence_share,
    }
    return {
        **{level: _recalls(score, questions, found, ks=ks) for level, score in scores.items()},
        "milliseconds": {f"p{q}": round(1000 * float(np.percentile(seconds, q)), 3) for q in (50, 90, 99)},
    }


def _recalls(
    score: Callable[[RetrievalQuestion, list[Hit]], float],
    questions: Sequence[RetrievalQuestion],
    found: Sequence[list[Hit]],
    *,
    ks: Sequence[int],
) -> dict[str, dict[str, float]]:
    pairs = list(zip(questions, found, strict=True))
    return {f"recall@{k}": interval([score(question, hits[:k]) for question, hits in pairs]).as_dict() for k in ks}


def _pages_found(question: RetrievalQuestion, hits: Sequence[Hit]) -> set[int]:
    """Pages of the question's document among the hits. A hit's key is `<document path>#<ordinal>`."""
    return {
        hit.page for hit in hits if hit.page is not None and _doc_name(hit.key.rpartition("#")[0]) == question.doc_name
    }


def document_found(question: RetrievalQuestion, hits: Sequence[Hit]) -> float:
    return float(any(_doc_name(hit.key.rpartition("#")[0]) == question.doc_name for hit in hits))


def page_found(question: RetrievalQuestion, hits: Sequence[Hit]) -> float:
    return float(bool(_pages_found(question, hits) & question.pages))


def evidence_share(question: RetrievalQuestion, hits: Sequence[Hit]) -> float:
    return len(_pages_found(question, hits) & question.pages) / max(1, len(question.pages))


def _compared(index: VectorIndex) -> dict[str, str]:
    packages = ["faiss-cpu", "sentence-transformers"] if index.stats().vectors else []
    return {name: version(name) for name in packages} | {"embedder": index.stats().embedder}


def _targets(recall: Mapping[str, Any], *, ks: Sequence[int]) -> list[Target]:
    """Of what users ask for, the evidence page among 20; and fusion earns its place at every depth."""
    if "hybrid" not in recall:
        return []
    pages = {name: recall[name]["page"] for name in ("hybrid", "bm25", "dense")}
    deepest = f"recall@{max(ks)}"
    targets = [Target(f"recall.hybrid.page.{deepest}", pages["hybrid"][deepest]["mean"], ">=", EVIDENCE)]
    for k in ks:
        value, *parts = (pages[name][f"recall@{k}"]["mean"] for name in ("hybrid", "bm25", "dense"))
        targets.append(Target(f"recall.hybrid.page.recall@{k} against its better part", value, ">=", max(parts)))
    return targets
