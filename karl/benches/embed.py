"""`karl bench embed`: queries a second of an embedder, one at a time and in batches as searches of rollouts form."""

from __future__ import annotations

import importlib.metadata
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from evals.bench_frame import Target, bench_report
from karl.settings import Settings
from store.errors import UsageError
from store.vectors.embedders import Embedder, make_embedder

BATCHES = (1, 8, 32, 64)
QUERIES = 256
PASSAGES = 256
GAIN = 2.0  # of batches of 32 over one at a time: else waiting for a batch would not be worth it
WORDS = ("revenue", "capital", "expenditure", "margin", "segment", "inventory", "dividend", "guidance", "impairment")


def embed_bench(*, embedder: str, repeats: int, settings: Settings) -> dict[str, Any]:
    """Every query and passage is new: nothing comes from a cache. Raises: UsageError for `none`, a missing model."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        found = make_embedder(
            embedder, home=Path(scratch), conventions=settings.embedding.conventions, settings=settings.embedding
        )
        if found is None:
            raise UsageError("embedder 'none' computes nothing; name another with --embedder")
        figures = _figures(found, repeats=repeats)
    gain = figures["queries_per_second"]["32"] / figures["queries_per_second"]["1"]
    figures["gain_of_32"] = round(gain, 2)
    return bench_report(
        "embed",
        figures={"embedder": embedder, "dimensions": found.embed_queries(["x"]).shape[1], **figures},
        compared={name: importlib.metadata.version(name) for name in ("torch", "transformers")},
        targets=[Target("gain_of_32", round(gain, 2), ">=", GAIN)],
        seconds=time.perf_counter() - started,
        seed=0,
    )


def _figures(embedder: Embedder, *, repeats: int) -> dict[str, Any]:
    """Medians over rounds in which all sizes take turns: a machine that slows down slows all of them."""
    embedder.embed_queries(["warm up"])
    rates: dict[int, list[float]] = {size: [] for size in BATCHES}
    passages: list[float] = []
    for turn in range(repeats):
        for size in BATCHES:
            texts = questions(f"{turn}.{size}")
            batches = [texts[start : start + size] for start in range(0, len(texts), size)]
            rates[size].append(QUERIES / _seconds(embedder.embed_queries, batches))
        texts = [" ".join(questions(f"{turn}.passage.{n}")[:16]) for n in range(PASSAGES)]
        passages.append(PASSAGES / _seconds(embedder.embed_passages, [texts]))
    return {
        "queries_per_second": {str(size): round(statistics.median(found), 1) for size, found in rates.items()},
        "passages_per_second": round(statistics.median(passages), 1),
    }


def questions(salt: str, count: int = QUERIES) -> list[str]:
    """About as long as what agents ask, some 18 tokens; all different."""
    return [
        f"what was the {WORDS[n % 9]} and {WORDS[n // 9 % 9]} of company {salt} {n} in fiscal year {2000 + n % 24}"
        for n in range(count)
    ]


def _seconds(embed: Callable[[Sequence[str]], Any], batches: Sequence[Sequence[str]]) -> float:
    began = time.perf_counter()
    for batch in batches:
        embed(batch)
    return time.perf_counter() - began
