"""What exactly was measured: hashes of systems, graphs, prompts, items and corpora, by which a figure is the same."""

from __future__ import annotations

from collections.abc import Iterator

from evals.report.blocks import Block, Cell, Code, Heading, Table, table
from evals.report.joined import Column, Joined
from evals.report.sections.opening import judge_name
from evals.report.text import UNKNOWN, dollars, short


def identity(joined: Joined) -> list[Block]:
    found: list[Block] = [Heading("What was measured"), _evaluations(joined), _tasks(joined), _systems(joined)]
    graphs, prompts = list(_graphs(joined)), list(_prompts(joined))
    if graphs:
        header = ("graph", "task", "system", "hits a search", "turns at most", "hash")
        found.append(table("Graphs", header, graphs, words=True))
    if prompts:
        found.append(table("Prompts", ("prompt", "hash", "of"), prompts, words=True))
    prices = _prices(joined)
    return [*found, *([prices] if prices else [])]


def _evaluations(joined: Joined) -> Table:
    rows = [
        (
            *(Code(one.sha256), one.name, one.date, judge_name(one), str(one.settings.seed), one.karl),
            one.machine or UNKNOWN,
        )
        for one in joined.documents
    ]
    return table("Evaluations", ("hash", "run", "date", "judge", "seed", "karl", "machine"), rows, words=True)


def _tasks(joined: Joined) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for document in joined.documents:
        for one in document.tasks:
            corpus = f"{one.corpus.documents:,} documents, {one.corpus.chunks:,} chunks, embedder {one.corpus.embedder}"
            asked = f"{one.questions:,}{'' if one.complete else ', not in full'}"
            hashes = Code(short(one.items_sha256)), Code(short(one.corpus.sha256))
            rows.append((one.title, one.regime or UNKNOWN, one.metric, asked, hashes[0], corpus, hashes[1]))
    header = ("task", "regime", "metric", "questions", "hash of items", "corpus", "hash of corpus")
    return table("Tasks", header, list(dict.fromkeys(rows)), words=True)


def _systems(joined: Joined) -> Table:
    rows = [
        (
            column.label,
            column.result.entry.kind,
            column.result.entry.given,
            column.result.entry.model,
            Code(short(column.result.entry.sha256)) if column.result.entry.sha256 else "an endpoint's own",
        )
        for column in joined.columns
    ]
    return table("Systems", ("system", "kind", "given as", "model", "hash of weights or source"), rows, words=True)


def _graphs(joined: Joined) -> Iterator[tuple[Cell, ...]]:
    for column in joined.columns:
        for task, graph in column.result.entry.graphs.items():
            bounds = (UNKNOWN if bound is None else str(bound) for bound in (graph.k, graph.steps))
            yield graph.name, task, column.label, *bounds, Code(short(graph.sha256))


def _prompts(joined: Joined) -> Iterator[tuple[Cell, ...]]:
    """A line for each prompt and hash, with the systems that had it."""
    found: dict[tuple[str, str], list[str]] = {}
    for column in joined.columns:
        for name, sha256 in _own_prompts(column):
            found.setdefault((name, sha256), []).append(column.label)
    for (name, sha256), labels in sorted(found.items()):
        yield name, Code(short(sha256)), ", ".join(dict.fromkeys(labels))


def _own_prompts(column: Column) -> Iterator[tuple[str, str]]:
    for graph in column.result.entry.graphs.values():
        yield from graph.prompt_sha256.items()


def _prices(joined: Joined) -> Table | None:
    prices = {name: price for document in joined.documents for name, price in document.settings.prices.items()}
    if not prices:
        return None
    rows = [
        (name, dollars(price.input), dollars(price.cached_input), dollars(price.output))
        for name, price in sorted(prices.items())
    ]
    return table("Prices, USD a million tokens, as given", ("model", "read", "read from a cache", "written"), rows)
