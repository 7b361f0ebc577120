"""Questions about a generated company, answered by a policy: sampled, judged by the rule, in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from agents.judges import RuleJudge
from agents.policy import Policy
from agents.tools import Searcher
from agents.values import ValueFunction
from graphs.loading import load_runner
from graphs.state import RolloutInputs
from karl.collect import seed_of
from karl.policies import open_policy
from karl.reporting import Progress
from karl.settings import Settings
from karl.tiny.world import Question, World, write_notes
from store.corpus import ingest
from store.corpus_settings import CorpusSettings
from store.session import Store
from store.types import Purpose, RolloutRecord, RolloutStatus
from store.vectors.batching import AsyncSearcher
from store.vectors.library import open_index


class Attempted(NamedTuple):
    record: RolloutRecord
    reward: float | None  # None: the environment failed, which says nothing of the policy


@contextmanager
def company(world: World) -> Iterator[Searcher]:
    """The notes of a generated company, ingested for as long as it takes."""
    with TemporaryDirectory() as folder:
        write_notes(world, Path(folder) / "notes")
        store = Store.open(f"sqlite:///{folder}/karl.db")
        ingest(store, Path(folder) / "notes", name="company", settings=CorpusSettings(embedder="none"))
        try:
            with AsyncSearcher(open_index(store, "company", home=folder)) as searcher:
                yield searcher
        finally:
            store.close()


@asynccontextmanager
async def speaking(checkpoint: Path, *, settings: Settings) -> AsyncIterator[Policy]:
    policy = open_policy(checkpoint, settings=settings, many=True)
    try:
        yield policy
    finally:
        await policy.engine.aclose()


async def attempt(
    asked: Sequence[Question],
    *,
    graph: str,
    each: int,
    policy: Policy,
    searcher: Searcher,
    value: ValueFunction | None = None,
    seed: int,
    temperature: float = 1.0,
    concurrency: int,
    progress: Progress,
) -> list[list[Attempted]]:
    """`each` rollouts of every question, in the order of the questions."""
    runner = load_runner(graph, policy=policy, searcher=searcher, value=value)
    judge, gate = RuleJudge(), asyncio.Semaphore(concurrency)

    async def one(number: int, question: Question, index: int) -> Attempted:
        key = f"{graph}/{number}/{index}"
        async with gate:
            record = await runner.run(
                RolloutInputs(question=question.text),
                key=key,
                purpose=Purpose.EVALUATE,
                seed=seed_of(key, seed=seed),
                temperature=temperature,
            )
        progress.advance()
        if record.status is RolloutStatus.FAILED:
            return Attempted(record, None)
        if not record.answer:
            return Attempted(record, 0.0)
        score = await judge.score(record.answer, question=question.text, nuggets=question.answers)
        return Attempted(record, score.value)

    flat = await asyncio.gather(*(one(n, q, i) for n, q in enumerate(asked) for i in range(each)))
    return [list(flat[start : start + each]) for start in range(0, len(flat), each)]
