"""`karl bench search`: the embedded index at scale."""

from __future__ import annotations

import click

from karl.commands.bench_options import AS_JSON, STRICT, finish
from karl.commands.common import console, settings_of


@click.command()
@click.option(
    "--only",
    "parts",
    multiple=True,
    type=click.Choice(["vectors", "uniform", "large", "growth", "callers"]),
    help="Repeatable; without it, all.",
)
@click.option("--size", default=100_000, show_default=True, type=click.IntRange(min=100), help="Vectors.")
@click.option("--large", default=1_000_000, show_default=True, type=click.IntRange(min=100), help="Of the large part.")
@click.option("--chunks", default=100_000, show_default=True, type=click.IntRange(min=100), help="With texts.")
@click.option("--dimensions", default=384, show_default=True, type=click.IntRange(min=2))
@click.option("--queries", default=1_000, show_default=True, type=click.IntRange(min=64), help="A repeat.")
@click.option("--repeats", default=5, show_default=True, type=click.IntRange(min=1))
@click.option("--large-peers", is_flag=True, help="Other engines in the large part too: they build for minutes.")
@click.option("--seed", default=0, show_default=True)
@AS_JSON
@STRICT
@click.pass_context
def search(
    context: click.Context, parts: tuple[str, ...], large_peers: bool, as_json: bool, strict: bool, **sizes: int
) -> None:
    """Queries a second, recall, memory and growth of the index, beside usearch, LanceDB (extra `bench`), every row."""
    from karl.benches.search import SearchOptions, search_bench
    from karl.benches.search.bench import PARTS
    from karl.terminal import TerminalReporter

    options = SearchOptions(parts=parts or PARTS, large_peers=large_peers, **sizes)
    report = search_bench(options, home=settings_of(context).home, reporter=TerminalReporter(console(stderr=True)))
    finish(report, as_json=as_json, strict=strict)
