"""How fast is the judge itself? Answers judged a second, cache and all, by an endpoint that answers at once."""

from __future__ import annotations

import asyncio
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from agents.judges import JudgeSettings, LlmJudge
from evals.bench_frame import Target, bench_report
from evals.items import Nugget
from evals.scoring.judgement import AnswerRow
from evals.scoring.judgement_cache import JudgementCache
from evals.scoring.judging import Judged, rejudge
from karl.benches.judge_endpoint import LABELS, scripted_endpoint
from karl.reporting import Reporter

TARGET = 500.0  # items a second at concurrency 64: what KARLBench asks of its judges
WORDS = "the revenue of the segment rose because of higher prices and a better mix of products "


def judge_bench(*, items: int, repeats: int, concurrency: int, reporter: Reporter) -> dict[str, Any]:
    """Each repeat judges `items` new answers of three nuggets; the last ones once more, out of the cache.

    An item is one question with its answer, and one request.
    """
    began = time.perf_counter()
    with scripted_endpoint() as url, tempfile.TemporaryDirectory() as folder:
        measured = asyncio.run(
            _measure(url, Path(folder), items=items, repeats=repeats, concurrency=concurrency, reporter=reporter)
        )
    rates = sorted(measured["rates"])
    figures = {
        "items": items,
        "repeats": repeats,
        "concurrency": concurrency,
        "items_per_second": round(median(rates), 1),
        "slowest": round(rates[0], 1),
        "fastest": round(rates[-1], 1),
        "cpu_milliseconds_an_item": round(measured["cpu"], 3),
        "cached_items_per_second": round(measured["cached"], 1),
    }
    return bench_report(
        "judge",
        figures=figures,
        compared={name: version(name) for name in ("pydantic-ai-slim", "aiohttp")},
        targets=[Target("items_per_second", figures["items_per_second"], ">=", TARGET)],
        seconds=time.perf_counter() - began,
        seed=0,
    )


async def _measure(
    url: str, folder: Path, *, items: int, repeats: int, concurrency: int, reporter: Reporter
) -> dict[str, Any]:
    judge = LlmJudge(JudgeSettings(base_url=url, model="scripted", concurrency=concurrency))
    rates: list[float] = []
    with JudgementCache(folder / "judgements.jsonl") as cache, reporter.stage("judging", repeats) as progress:
        await _timed(_rows(concurrency * 2, "warm-up"), judge, cache)
        cpu = time.process_time()
        for repeat in range(repeats):
            rates.append(items / await _timed(_rows(items, str(repeat)), judge, cache))
            progress.advance()
        cpu = (time.process_time() - cpu) / (items * repeats)
        cached = items / await _timed(_rows(items, str(repeats - 1)), judge, cache, held=True)
    return {"rates": rates, "cpu": 1000 * cpu, "cached": cached}


async def _timed(rows: list[AnswerRow], judge: LlmJudge, cache: JudgementCache, *, held: bool = False) -> float:
    """Seconds. Raises: RuntimeError where an answer was not judged as scripted: the figure would be worth nothing."""
    start = time.perf_counter()
    found = await rejudge(rows, judge, cache)
    seconds = time.perf_counter() - start
    _check(found, rows=len(rows), held=held)
    return seconds


def _check(found: Judged, *, rows: int, held: bool) -> None:
    if found.failures:
        raise RuntimeError(f"{len(found.failures)} of {rows} answers were not judged: {found.failures[0].reason}")
    if found.hits != (rows if held else 0) or any(one.completion.labels != LABELS for one in found.judgements):
        raise RuntimeError("the answers were not judged as scripted")


def _rows(count: int, name: str) -> list[AnswerRow]:
    nuggets = tuple(Nugget(text=f"The segment's {what} rose by 4%.") for what in ("revenue", "margin", "volume"))
    return [
        AnswerRow(
            item=f"{name}-{number}",
            question="What drove the growth of the segment in the last fiscal year?",
            answer=f"In case {name}-{number} {WORDS * 6}",
            nuggets=nuggets,
        )
        for number in range(count)
    ]
