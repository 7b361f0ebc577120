"""`karl bench ingest`."""

from __future__ import annotations

from pathlib import Path

import click

from karl.commands.bench_options import AS_JSON, STRICT, finish
from karl.commands.common import console


@click.command()
@click.option("--pdfs", type=click.Path(path_type=Path, exists=True), required=True, help="A folder of PDFs.")
@click.option("--files", default=10_000, show_default=True, type=click.IntRange(min=100), help="Generated files.")
@click.option("--embedder", default="minilm", show_default=True, help="none: embedding is not measured.")
@AS_JSON
@STRICT
def ingest(pdfs: Path, files: int, embedder: str, as_json: bool, strict: bool) -> None:
    """Pages and files read a second, memory over a large folder, passages embedded a second."""
    from karl.benches.ingest import ingest_bench
    from karl.terminal import TerminalReporter

    report = ingest_bench(pdfs=pdfs, files=files, embedder=embedder, reporter=TerminalReporter(console(stderr=True)))
    finish(report, as_json=as_json, strict=strict)
