"""A corpus of small notes, a scripted policy that reads them, and the loop's context around both."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from agents.engines.base import GenerateRequest
from agents.engines.scripted import ScriptedEngine
from agents.judges import Judge, RuleJudge
from agents.policy import Policy
from graphs.state import RolloutInputs
from karl.collect import Unit
from karl.corpora import ingest_corpus
from karl.corpus_choices import CorpusChoices
from karl.loop import Context
from karl.reporting import SilentReporter
from karl.run_config import make_config
from karl.runs import open_run
from karl.settings import Settings
from store import queries
from store.queries import RolloutLinks
from store.session import Store
from store.types import Purpose
from store.vectors.batching import AsyncSearcher
from store.vectors.library import open_index
from tests.harness_kit import scripted_policy

LEADERS = {f"product{number}": f"person{number}" for number in range(30)}
FACT = re.compile(r"(person\d+) leads (\w+)")
QUESTION = re.compile(r"who leads (\w+)\?")


def write_leaders(folder: Path) -> Path:
    folder.mkdir()
    for product, person in LEADERS.items():
        (folder / f"{product}.md").write_text(f"# {product}\n\n{person} leads {product} since May.\n", encoding="utf-8")
    return folder


def make_context(folder: Path, *, judge: Judge | None = None, **changes: Any) -> Context:
    """A new store in `folder` with the notes ingested as corpus `notes`, and a run over them."""
    settings = Settings.model_validate({"home": folder / "home", "concurrency": 5})
    store = Store.open(settings.store_url)
    ingest_corpus(
        store,
        write_leaders(folder / "notes"),
        name="notes",
        settings=settings,
        choices=CorpusChoices(embedder="none"),
        reporter=SilentReporter(),
    )
    config = make_config({"corpus": "notes", "held_out": 4, "eval_samples": 3, "group_size": 2, **changes})
    run = open_run(store, config, name=None).run
    with store.session() as session:
        corpus = queries.corpus_by_name(session, "notes")
    searcher = AsyncSearcher(open_index(store, "notes", home=settings.home))
    return Context(
        store=store,
        settings=settings,
        config=config,
        run=run,
        corpus=corpus,
        searcher=searcher,
        question_corpus=corpus,
        question_searcher=searcher,
        judge=judge or RuleJudge(),
        reporter=SilentReporter(),
        stop=asyncio.Event(),
    )


TURNS = 3  # of the policy for one question: search, summary, answer
Answer = Callable[[str, str], str]  # (product, what a reader of the note would say) -> what the policy says


def truthful(_product: str, person: str) -> str:
    return person


def reader(answer: Answer = truthful) -> Policy:
    """Writes a question about the note it is shown; answers one after a search, from the note that it found."""

    def respond(request: GenerateRequest) -> str:
        text = policy.decode(list(request.prompt_ids))
        asked = QUESTION.search(text)
        if asked is None:
            person, product = FACT.findall(text)[-1]
            return f"[1] <question>who leads {product}?</question><answer>{person}</answer>"
        product = asked[1]
        found = [person for person, led in FACT.findall(text) if led == product]
        if "summarise" in text:  # bytes are many tokens: the graph of the embedded policy compresses after each search
            return f"{found[0]} leads {product}."
        return f"[1] <answer>{answer(product, found[0])}</answer>" if found else f"<search>{product}</search>"

    policy = scripted_policy(respond)
    return policy


def requests(policy: Policy) -> int:
    """How often the scripted policy was asked."""
    assert isinstance(policy.engine, ScriptedEngine)
    return len(policy.engine.requests)


def units(context: Context, count: int, *, stage: str = "solve") -> list[Unit]:
    """One judged solver rollout for each of the first products."""
    return [
        Unit(
            key=context.key(stage, number),
            inputs=RolloutInputs(question=f"who leads {product}?"),
            links=RolloutLinks(run_id=context.run_id, iteration=1, attempt=number),
            purpose=Purpose.TRAIN,
            nuggets=(person,),
        )
        for number, (product, person) in enumerate([*LEADERS.items()][:count])
    ]


def many(unit: Unit, count: int) -> list[Unit]:
    return [replace(unit, key=f"{unit.key}/{n}") for n in range(count)]
