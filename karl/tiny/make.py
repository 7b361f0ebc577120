"""Make the embedded base policy: companies, demonstrations through the real harness, behaviour cloning on verl.

The companies of cloning, of training and of evaluation have different seeds and so different facts; they share pools of
names, and a share of the cloning companies has invented names, so that copying is learnt and not the pools.
"""

from __future__ import annotations

import asyncio
import json
import random
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, Field

from agents.chat_template import chat_template
from agents.engines.base import GenerateRequest
from agents.engines.scripted import ScriptedEngine
from agents.policy import PROFILE_FILE, Policy, PolicyProfile
from graphs.runner import GraphRunner
from graphs.state import RolloutInputs
from karl.collect import seed_of
from karl.reporting import Reporter
from karl.search import corpus_searcher
from karl.tiny import names
from karl.tiny.demonstrations import (
    KEYWORDS,
    GeneratorDemonstrator,
    Noise,
    SolverDemonstrator,
    aggregate,
    starting_questions,
    unrelated_answers,
)
from karl.tiny.tokenizer import TokenizerKind, make_tokenizer
from karl.tiny.world import KINDS, Question, World, make_world, questions, write_notes
from prompts.output import FinalAnswer
from store import queries
from store.corpus import ingest
from store.corpus_settings import CorpusSettings
from store.session import Store
from store.types import Hit, Purpose, RolloutRecord

CLONING_SEED = 1_000_000  # far from every seed that a demo uses
FIXED_TEXT = "no results so far : unknown answer now write a search or an answer summarise combine : ask about :"


class MakeConfig(BaseModel, frozen=True, extra="forbid"):
    """The shipped checkpoint was made with the defaults."""

    seed: int = 0
    tokenizer: TokenizerKind = "words"
    companies: int = Field(40, ge=1)
    invented: float = Field(0.25, ge=0, le=1, description="share of companies whose names are invented")
    demonstrations: int = Field(600, ge=1, description="per company")
    steps: int = Field(1300, ge=1, description="optimiser steps of behaviour cloning")
    batch: int = Field(32, ge=1)
    lr: float = Field(3e-3, gt=0)


@dataclass(frozen=True)
class Demonstrations:
    """Records of the harness with the demonstrators' turns as the sampled tokens."""

    records: list[RolloutRecord] = field(default_factory=list)
    solved: int = 0
    asked: int = 0


def vocabulary_texts() -> list[str]:
    """Everything that the demonstrations can say in the pools' words."""
    pools = [*names.FIRST, *names.LAST, *names.TEAMS, *names.PRODUCTS, *names.CUSTOMERS, *names.CITIES]
    pools += [*names.CONCERNS, *names.MONTHS, *names.YEARS]
    texts = [*pools, *KEYWORDS.values(), FIXED_TEXT]
    for seed in range(4):
        world = make_world(CLONING_SEED + seed)
        texts += [fact.sentence for fact in world.facts]
        texts += [f"{q.text} - {q.answer}" for kind in KINDS.values() for q in kind(world)]
    return texts


async def demonstrate(config: MakeConfig, *, reporter: Reporter, template: Any, tokenizer: Any) -> Demonstrations:
    """Run the demonstrators through the solver, generator and aggregator graphs over each company's notes."""
    records: list[RolloutRecord] = []
    solved = asked = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        reporter.stage("demonstrating", config.companies * config.demonstrations) as progress,
    ):
        store = Store.open(f"sqlite:///{folder}/karl.db")
        for company in range(config.companies):
            share = 1.0 if company < config.invented * config.companies else 0.0
            world = make_world(CLONING_SEED + 1000 * (config.seed + 1) + company, invented=share)
            script = _Script(world, seed=config.seed * 1000 + company)
            made = await script.run(config, store=store, home=Path(folder), template=template, tokenizer=tokenizer)
            records += made
            solved, asked = solved + script.solved, asked + script.asked
            progress.advance(config.demonstrations)
        store.close()
    return Demonstrations(records, solved, asked)


class _Script:
    """The demonstrators of one company behind one scripted engine, told apart by the rollout's key."""

    def __init__(self, world: World, *, seed: int) -> None:
        self._world, self._seed = world, seed
        self._questions = questions(world, count=1_000_000, seed=seed)
        self._starts = starting_questions(self._questions)
        self._actors: dict[str, Callable[[str], str]] = {}
        self.solved = self.asked = 0

    async def run(
        self, config: MakeConfig, *, store: Store, home: Path, template: Any, tokenizer: Any
    ) -> list[RolloutRecord]:
        name = f"company-{self._seed}"
        notes = home / name
        write_notes(self._world, notes)
        ingest(store, notes, name=name, settings=CorpusSettings(embedder="none"))
        searcher = corpus_searcher(store, name, home=home)
        with store.session() as session:
            corpus = queries.corpus_by_name(session, name)
            chunks = {chunk.text.strip(): chunk for chunk in queries.corpus_chunks(session, corpus.id or 0)}
        engine = ScriptedEngine(lambda request: self._respond(request, template), template=template, keep=False)
        policy = Policy(engine, tokenizer, PolicyProfile(name="demonstrator", prompt_variant="tiny"))
        runners = {
            graph: GraphRunner.load(graph, policy=policy, searcher=searcher) for graph in ("solver", "qa_generator")
        }
        records = []
        for index in range(config.demonstrations):
            key = f"{name}/{index}"
            rng = random.Random(seed_of(key, seed=config.seed))
            graph, inputs, question = self._cast(key, rng, chunks)
            record = await runners[graph].run(inputs, key=key, purpose=Purpose.DEMONSTRATE, seed=0)
            self._count(graph, question, record)
            records.append(record)
            self._actors.clear()
        return records

    def _cast(self, key: str, rng: random.Random, chunks: dict[str, Any]) -> tuple[str, RolloutInputs, Question]:
        if rng.random() < 0.75:
            kind = rng.choice(list(KINDS))
            question = rng.choice([q for q in self._questions if q.kind == kind] or self._questions)
            solver = SolverDemonstrator(question, rng)
            self._actors[key] = lambda text: solver.summarise(text) if _asks_summary(text) else solver.act(text)
            return "solver", RolloutInputs(question=question.text), question
        fact = rng.choice([f for f in self._world.facts if self._starts[f.subject] or self._starts[f.object]])
        question = rng.choice(self._starts[fact.subject] + self._starts[fact.object])
        generator = GeneratorDemonstrator(question, rng)
        self._actors[key] = generator.act
        chunk = chunks[fact.sentence]
        seed = Hit(chunk_id=chunk.id, key=chunk.key, title=chunk.title, text=chunk.text, score=0.0)
        return "qa_generator", RolloutInputs(seeds=[seed]), question

    def _respond(self, request: GenerateRequest, template: Any) -> str:
        key = next(key for key in self._actors if request.session.startswith(key))
        return self._actors[key](template.decode(request.prompt_ids))

    def _count(self, graph: str, question: Question, record: RolloutRecord) -> None:
        if graph == "solver":
            self.asked += 1
            self.solved += set(record.answer.split(", ")) == set(question.answers)


def _asks_summary(text: str) -> bool:
    return text.rstrip().endswith("summarise<|end|><|assistant|>")
