"""`karl ingest PATH --name NAME`: documents into a corpus, then its index."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from karl.commands.common import console, open_store, print_json, settings_of


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="Name of the corpus.")
@click.option("--embedder", help="auto, none, minilm, endpoint:MODEL, or a sentence-transformers name.")
@click.option("--max-chars", type=click.IntRange(min=200), help="Longest chunk by headings; a PDF's chunk is a page.")
@click.option("--chunking", help="How documents are cut: a policy's name or a YAML file (docs/documents.md).")
@click.option("--index", type=click.Choice(["embedded", "weaviate"]), help="In process, or on the [weaviate] server.")
@click.option(
    "--vectors",
    type=click.Choice(["auto", "flat", "hnsw", "ivf"]),
    help="How vectors are searched in process; another kind builds the index anew (docs/indexes.md).",
)
@click.option(
    "--fusion",
    metavar="BM25:DENSE",
    help="Weights of BM25's scores and the embedder's, such as 1:3; ranks:1:3 weighs ranks. Nothing is built anew.",
)
@click.option("--verify", is_flag=True, help="Read every byte of the index; one that is damaged is built anew.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_context
def ingest(context: click.Context, path: Path, name: str, fusion: str | None, as_json: bool, **chosen: Any) -> None:
    """Read PATH (PDF, Markdown, text, HTML, office, source, CSV, JSONL) into a corpus; again: only what changed.

    What no option says stays as the corpus has it; its embedder and where it is indexed are those of karl.toml.
    """
    from karl.corpora import ingest_corpus
    from karl.corpus_choices import CorpusChoices, FusionChoice
    from karl.terminal import TerminalReporter

    choices = CorpusChoices(fusion=FusionChoice.of(fusion) if fusion else None, **chosen)
    settings = settings_of(context)
    reporter = TerminalReporter(console(stderr=True))
    with open_store(settings) as store:
        report = ingest_corpus(store, path, name=name, settings=settings, choices=choices, reporter=reporter)
    if as_json:
        print_json(report.as_dict())
        return
    for line in report.lines():
        click.echo(line)
