"""Does search find the evidence? Real filings, published questions: recall of pages and documents for each ranking."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from evals.bench_frame import Target
from evals.retrieval import load_questions, retrieval_figures
from evals.retrieval_ablation import ablation
from karl.corpora import ingest_corpus
from karl.corpus_choices import CorpusChoices
from karl.reporting import Reporter
from karl.settings import Settings
from store.session import Store

CORPUS = "bench-filings"


def retrieval_bench(
    store: Store,
    *,
    pdfs: Path,
    questions: Path,
    embedder: str,
    settings: Settings,
    reporter: Reporter,
    ablate: Literal["", "quick", "full"] = "",
) -> dict[str, Any]:
    """Ingest `pdfs` (unchanged files are not read again) and ask `questions` of it, BM25 against dense and hybrid.

    ablate: each part taken away in turn; `full` has those too that embed every page anew.
    """
    load_questions(questions)  # a wrong file is told before an hour of ingestion
    choices = CorpusChoices(embedder=embedder)
    made = ingest_corpus(store, pdfs, name=CORPUS, settings=settings, choices=choices, reporter=reporter)
    report = retrieval_figures(store, CORPUS, questions=questions, home=settings.home, servers=settings.servers)
    if ablate:
        with reporter.stage("ablation", 1) as progress:
            report["figures"]["ablation"] = ablation(
                store,
                CORPUS,
                questions=load_questions(questions),
                folder=pdfs,
                home=Path(settings.home),
                costly=ablate == "full",
                progress=progress.reach,
            )
    failures = len(made.report.skipped) + len(made.report.problems)
    report["figures"]["ingestion"] = {"failures": failures, "seconds": round(made.report.seconds, 2)}
    report["targets"].append(Target("ingestion.failures", failures, "<=", 0).as_dict())
    return report
