"""How fast documents are read, and in what memory: PDF pages a second, a folder of many files, passages embedded."""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from evals.bench_frame import Target, bench_report
from karl.reporting import Reporter
from store.corpus import IngestProgress, ingest
from store.queries import corpus_chunks
from store.session import Store
from store.vectors.base import IndexEntry
from store.vectors.embedders import make_embedder
from store.vectors.passages import passages

PAGES_A_SECOND = 60  # without embedding, on two cores
GROWTH_MIB = 64  # between the first tenth of the files and the last
EMBEDDED = 256  # passages: a sample
WORDS = [f"word{number}" for number in range(5_000)]


def ingest_bench(*, pdfs: Path, files: int, embedder: str, reporter: Reporter) -> dict[str, Any]:
    """Everything in a scratch folder. pdfs: read twice, the second time unchanged; files: generated Markdown."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        figures = {
            "pdf": pdf_figures(pdfs, home=home),
            "folder": folder_figures(home, files=files, reporter=reporter),
            "embedding": embedding_figures(pdfs, home=home, embedder=embedder),
        }
    targets = [
        Target("pdf.pages_per_second", figures["pdf"]["pages_per_second"], ">=", PAGES_A_SECOND),
        Target("folder.growth_mib", figures["folder"]["growth_mib"], "<=", GROWTH_MIB),
        Target("folder.read", figures["folder"]["documents"], ">=", files),
    ]
    seconds = time.perf_counter() - started
    return bench_report("ingest", figures=figures, compared={}, targets=targets, seconds=seconds, seed=0)


def pdf_figures(pdfs: Path, *, home: Path) -> dict[str, Any]:
    store = Store.open(f"sqlite:///{home}/pdf.db")
    began = time.process_time()
    first = ingest(store, pdfs, name="pdf")
    busy = time.process_time() - began
    again = ingest(store, pdfs, name="pdf")
    store.close()
    return {
        "documents": first.documents,
        "pages": first.chunks,
        "pages_per_second": round(first.chunks / first.seconds, 1),
        "pages_per_cpu_second": round(first.chunks / busy, 1),
        "unchanged_seconds": round(again.seconds, 3),
        "skipped": len(first.skipped),
        "problems": len(first.problems),
    }


def folder_figures(home: Path, *, files: int, reporter: Reporter) -> dict[str, Any]:
    """Resident memory after a tenth of the files, and at its most from there to the end."""
    folder = home / "many"
    write_folder(folder, files=files)
    process, resident = psutil.Process(), list[float]()
    with reporter.stage("reading generated files", files) as stage:

        def watch(state: IngestProgress) -> None:
            stage.reach(state.done, state.total)
            if state.done % max(1, files // 100) == 0:
                resident.append(process.memory_info().rss / 2**20)

        store = Store.open(f"sqlite:///{home}/many.db")
        report = ingest(store, folder, name="many", progress=watch)
    store.close()
    settled = resident[len(resident) // 10]
    return {
        "documents": report.documents,
        "chunks": report.chunks,
        "files_per_second": round(files / report.seconds, 1),
        "resident_mib": round(settled, 1),
        "growth_mib": round(max(resident[len(resident) // 10 :]) - settled, 1),
    }


def write_folder(folder: Path, *, files: int) -> None:
    """Markdown of about 4,000 characters, 100 files a folder; the same every time."""
    draw = random.Random(0)
    for number in range(files):
        path = folder / f"{number // 100:04}" / f"{number:06}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        parts = (f"## Part {part}\n\n{' '.join(draw.choices(WORDS, k=120))}" for part in range(4))
        path.write_text(f"# File {number}\n\n" + "\n\n".join(parts), encoding="utf-8")


def embedding_figures(pdfs: Path, *, home: Path, embedder: str) -> dict[str, Any]:
    """Passages a second of a sample spread over the PDFs' pages; nothing comes from a cache."""
    made = make_embedder(embedder, home=home / "embedding")
    if made is None:
        return {}
    store = Store.open(f"sqlite:///{home}/pdf.db")
    with store.session() as session:
        entries = [IndexEntry(chunk.id or 0, chunk.title, chunk.text) for chunk in corpus_chunks(session, 1)]
    store.close()
    texts = [text for entry in entries for text in passages(entry)]
    sample = texts[:: max(1, len(texts) // EMBEDDED)][:EMBEDDED]
    made.embed_queries(["warm up"])
    start = time.perf_counter()
    made.embed_passages(sample)
    seconds = time.perf_counter() - start
    return {
        "embedder": made.name,
        "passages": len(texts),
        "passages_per_page": round(len(texts) / max(1, len(entries)), 2),
        "passages_per_second": round(len(sample) / seconds, 1),
    }
