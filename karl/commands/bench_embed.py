"""`karl bench embed`: an embedder's speed, by size of batch."""

from __future__ import annotations

import click

from karl.commands.bench_options import AS_JSON, STRICT, finish
from karl.commands.common import settings_of


@click.command()
@click.option("--embedder", default="minilm", show_default=True, help="minilm, endpoint:MODEL, or a name or folder.")
@click.option("--repeats", default=3, show_default=True, type=click.IntRange(min=1))
@AS_JSON
@STRICT
@click.pass_context
def embed(context: click.Context, embedder: str, repeats: int, as_json: bool, strict: bool) -> None:
    """Queries a second one at a time and in batches of 8, 32 and 64; passages a second."""
    from karl.benches.embed import embed_bench

    report = embed_bench(embedder=embedder, repeats=repeats, settings=settings_of(context))
    finish(report, as_json=as_json, strict=strict)
