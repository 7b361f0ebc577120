"""`karl search NAME "query"`: what the agents' tool would see."""

from __future__ import annotations

from collections.abc import Sequence

import click
import msgspec

from karl.commands.common import open_searcher, open_store, print_json, settings_of


@click.command()
@click.argument("corpus")
@click.argument("query")
@click.option("-k", default=20, show_default=True, type=click.IntRange(min=1), help="How many chunks.")
@click.option(
    "--where",
    multiple=True,
    metavar="PROPERTY=VALUE",
    help="Only chunks with this property (path, title, page, headings, or the documents' own); * stands for anything. "
    "May be repeated: another value of the same property is an alternative.",
)
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def search(context: click.Context, corpus: str, query: str, k: int, where: tuple[str, ...], as_json: bool) -> None:
    """Print the K best chunks of CORPUS for QUERY, with ids and scores."""
    import asyncio

    from karl.where import refuse_unknown

    wanted = _wanted(where)
    settings = settings_of(context)
    with open_store(settings) as store, open_searcher(store, corpus, settings=settings) as searcher:
        hits = asyncio.run(searcher.search(query, k, wanted))
        if wanted and not hits:
            refuse_unknown(store, corpus, wanted)
    if as_json:
        print_json([msgspec.structs.asdict(hit) for hit in hits])
        return
    if not hits:
        click.echo(f"no chunk matches; try other words{' or another --where' if wanted else ''}")
    for rank, hit in enumerate(hits, 1):
        page = f" p.{hit.page}" if hit.page else ""
        parts = [
            f"{name} {score:.3f}" for name, score in (("bm25", hit.bm25_score), ("dense", hit.dense_score)) if score
        ]
        click.echo(f"{rank:>3}. [{hit.chunk_id}] {hit.key}{page}  score {hit.score:.4f}  {'  '.join(parts)}")
        click.echo("     " + " ".join(hit.text.split())[:200])


def _wanted(where: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in where:
        name, equals, value = one.partition("=")
        if not name or not equals:
            raise click.BadParameter(f"{one!r}: write PROPERTY=VALUE, such as 'path=3M*'", param_hint="--where")
        found.setdefault(name, []).append(value)
    return found
