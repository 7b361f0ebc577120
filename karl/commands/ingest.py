"""`karl ingest PATH --name NAME`: documents into a corpus, then its index."""

from __future__ import annotations

from pathlib import Path

import click

from karl.commands.common import console, open_store, print_json, settings_of


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="Name of the corpus.")
@click.option("--embedder", help="auto, none, minilm, endpoint:MODEL, or a sentence-transformers name.")
@click.option("--max-chars", type=click.IntRange(min=200), help="Longest chunk by headings; a PDF's chunk is a page.")
@click.option("--chunking", help="How documents are cut: a policy's name or a YAML file (docs/documents.md).")
@click.option("--index", type=click.Choice(["embedded", "weaviate"]), help="In process, or on the [weaviate] server.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_context
def ingest(
    context: click.Context,
    path: Path,
    name: str,
    embedder: str | None,
    max_chars: int | None,
    chunking: str | None,
    index: str | None,
    as_json: bool,
) -> None:
    """Read PATH (PDF, Markdown, text, HTML, office, source, JSONL) into a corpus; again: only what changed."""
    from karl.corpora import ingest_corpus
    from karl.terminal import TerminalReporter

    settings = settings_of(context)
    out = console(stderr=True)
    with open_store(settings) as store:
        report = ingest_corpus(
            store,
            path,
            name=name,
            settings=settings,
            embedder=embedder,
            max_chars=max_chars,
            chunking=chunking,
            index=index,
            reporter=TerminalReporter(out),
        )
    if as_json:
        print_json(report.as_dict())
        return
    for line in report.lines():
        click.echo(line)
