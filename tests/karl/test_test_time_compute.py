"""What more compute at test time buys the shipped policy: several attempts and a vote against one attempt.

Without a trained value model the votes by weight and the guided steps go by likelihood; their figures are printed, not
claimed. `pytest tests/karl/test_test_time_compute.py -m slow` prints the table.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from agents.engines.local import LocalEngine, load_model
from agents.judges import RuleJudge
from agents.policy import load_policy
from agents.tools import Searcher
from graphs.loading import load_runner
from graphs.runner import GraphRunner
from graphs.state import RolloutInputs
from karl.collect import seed_of
from karl.tiny import POLICY_FOLDER
from karl.tiny.world import Question, make_world, questions, write_notes
from store.corpus import ingest
from store.corpus_settings import CorpusSettings
from store.session import Store
from store.types import Purpose, RolloutRecord
from store.vectors.batching import AsyncSearcher
from store.vectors.library import open_index

QUESTIONS, ATTEMPTS, SEED = 60, 5, 11
GRAPHS: dict[str, tuple[str, dict[str, Any]]] = {
    "majority": ("aggregator", {"strategy": "majority"}),
    "weighted by likelihood": ("value_guided_search", {"graph": "solver"}),
    "best of N by likelihood": ("value_guided_search", {"graph": "solver", "strategy": "best_of_n"}),
    "guided by likelihood, k = 2": ("value_guided_search", {}),
}


@pytest.fixture
def company(tmp_path: Path) -> Iterator[tuple[Searcher, list[Question]]]:
    world = make_world(SEED)
    write_notes(world, tmp_path / "notes")
    store = Store.open(f"sqlite:///{tmp_path}/karl.db")
    ingest(store, tmp_path / "notes", name="company", settings=CorpusSettings(embedder="none"))
    yield AsyncSearcher(open_index(store, "company", home=tmp_path)), questions(world, count=QUESTIONS, seed=SEED)
    store.close()


async def run(runner: GraphRunner, asked: Sequence[Question], *, at_once: int = 16) -> list[RolloutRecord]:
    slots = asyncio.Semaphore(at_once)

    async def one(number: int, question: Question) -> RolloutRecord:
        async with slots:
            inputs = RolloutInputs(question=question.text)
            return await runner.run(
                inputs, key=f"q{number}", purpose=Purpose.EVALUATE, seed=seed_of(f"q{number}", seed=0)
            )

    return list(await asyncio.gather(*(one(number, question) for number, question in enumerate(asked))))


async def reward(answer: str, question: Question) -> float:
    return (await RuleJudge().score(answer, question=question.text, nuggets=question.answers)).value if answer else 0.0


async def figures(records: Sequence[RolloutRecord], asked: Sequence[Question]) -> dict[str, float]:
    """Share answered right, by one attempt on average and after the vote; tokens sampled a question."""
    single = [await reward(attempt.answer, q) for r, q in zip(records, asked, strict=True) for attempt in r.attempts]
    voted = [await reward(record.answer, question) for record, question in zip(records, asked, strict=True)]
    tokens = [sum(a.sampled_tokens + a.discarded_tokens for a in record.attempts) for record in records]
    return {"one attempt": fmean(float(s == 1.0) for s in single), "vote": fmean(float(v == 1.0) for v in voted)} | {
        "tokens": fmean(tokens)
    }


def show(table: Mapping[str, Mapping[str, float]], capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        for name, row in table.items():
            cells = "  ".join(
                f"{key} {value:.3f}" if value <= 1 else f"{key} {value:.0f}" for key, value in row.items()
            )
            sys.stdout.write(f"\n{name:30} {cells}")


@pytest.mark.slow
async def test_a_majority_of_five_beats_one_attempt(company: Any, capsys: pytest.CaptureFixture[str]) -> None:
    searcher, asked = company
    engine = LocalEngine(load_model(POLICY_FOLDER), name="shipped")
    policy = load_policy(POLICY_FOLDER, engine=engine)
    table: dict[str, dict[str, float]] = {}
    for name, (graph, options) in GRAPHS.items():
        changes = {"nodes": {"attempts": {"runs": ATTEMPTS, **options}}}
        runner = load_runner(graph, policy=policy, searcher=searcher, changes=changes)
        table[name] = await figures(await run(runner, asked), asked)
    await engine.aclose()
    show(table, capsys)
    assert table["majority"]["vote"] > table["majority"]["one attempt"]
    # The same attempts under the same seeds: only the vote differs.
    assert len({table[name]["one attempt"] for name in list(GRAPHS)[:3]}) == 1
